import CLinux
import EventLoop
import Glibc
import Groundwork

/// Wakes a loop at a time, to some microseconds: the loop's own timers count milliseconds, as `epoll_wait(2)` does.
final class WakeUp: EventSource {
    private let descriptor: Int32

    /// For a loop, on its thread. The loop keeps it.
    init(on loop: EventLoop) throws(SystemError) {
        descriptor = timerfd_create(CLOCK_MONOTONIC, Int32(TFD_CLOEXEC | TFD_NONBLOCK))
        guard descriptor >= 0 else { throw SystemError("timerfd_create", code: errno) }
        _ = try loop.register(descriptor, for: .readable, source: self)
    }

    deinit { close(descriptor) }

    /// Sets it; the time set before is forgotten.
    func set(to time: Int64) {
        var setting = itimerspec()
        setting.it_value = timespec(tv_sec: Int(time / 1_000_000_000), tv_nsec: Int(time % 1_000_000_000))
        timerfd_settime(descriptor, Int32(TFD_TIMER_ABSTIME), &setting, nil)
    }

    func ready(_ readiness: Readiness) {
        var count: UInt64 = 0
        _ = read(descriptor, &count, 8)
    }
}
