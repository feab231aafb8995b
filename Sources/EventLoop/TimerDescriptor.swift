import CLinux
import Glibc
public import Groundwork

/// The kernel's alarm clock as a file descriptor (timerfd_create(2)), which an epoll can wait for.
public struct TimerDescriptor: ~Copyable, Sendable {
    /// Can be read when the time has come that was set.
    public let descriptor: Int32

    /// Opens one that is not set.
    public init() throws(SystemError) {
        descriptor = timerfd_create(CLOCK_MONOTONIC, Int32(TFD_CLOEXEC | TFD_NONBLOCK))
        guard descriptor >= 0 else { throw SystemError("timerfd_create", code: errno) }
    }

    deinit { close(descriptor) }

    /// Sets it, to some microseconds; at once if that is past. The time set before is forgotten.
    public func set(to time: Instant) {
        var setting = itimerspec()
        // Nothing but zeros would unset it.
        let time = max(1, time.nanoseconds)
        setting.it_value = timespec(tv_sec: Int(time / 1_000_000_000), tv_nsec: Int(time % 1_000_000_000))
        timerfd_settime(descriptor, Int32(TFD_TIMER_ABSTIME), &setting, nil)
    }
}
