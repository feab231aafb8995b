import EventLoop
import Glibc
import Groundwork

/// Wakes a loop at a time, to some microseconds: the loop's own timers count milliseconds.
final class WakeUp: EventSource {
    private let timer: TimerDescriptor
    private let loop: EventLoop

    /// For a loop, on its thread. The loop keeps it.
    init(on loop: EventLoop) throws(SystemError) {
        timer = try TimerDescriptor()
        self.loop = loop
        _ = try loop.register(timer.descriptor, for: .readable, source: self)
    }

    /// Sets it; the time set before is forgotten.
    func set(to time: Int64) { timer.set(to: Instant(nanoseconds: time)) }

    func ready(_ readiness: Readiness) {
        var count: UInt64 = 0
        _ = read(timer.descriptor, &count, 8)
        loop.gathers()
    }
}
