import Glibc

/// A point on the monotonic clock, in nanoseconds since the machine started. Wall clock jumps do not move it.
public struct Instant: Comparable, Hashable, Sendable {
    /// Nanoseconds since the clock's start.
    public var nanoseconds: Int64

    /// An instant at a given reading of the clock.
    @inlinable
    public init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    /// Reads `CLOCK_MONOTONIC`: about 20 ns, no system call.
    public static func now() -> Instant {
        var reading = timespec()
        clock_gettime(CLOCK_MONOTONIC, &reading)
        return Instant(nanoseconds: Int64(reading.tv_sec) * 1_000_000_000 + Int64(reading.tv_nsec))
    }

    /// Orders by time.
    @inlinable
    public static func < (left: Instant, right: Instant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// The instant `duration` later; saturates instead of overflowing.
    @inlinable
    public static func + (left: Instant, duration: Duration) -> Instant {
        left.advanced(byNanoseconds: duration.wholeNanoseconds)
    }

    /// The time from `right` to `left`.
    @inlinable
    public static func - (left: Instant, right: Instant) -> Duration {
        .nanoseconds(left.nanoseconds - right.nanoseconds)
    }

    /// The instant `nanoseconds` later; saturates instead of overflowing.
    @inlinable
    public func advanced(byNanoseconds nanoseconds: Int64) -> Instant {
        let (sum, overflow) = self.nanoseconds.addingReportingOverflow(nanoseconds)
        return Instant(nanoseconds: overflow ? .max : sum)
    }
}

extension Duration {
    /// The whole nanoseconds of this duration; saturates at about 292 years.
    @inlinable
    public var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return seconds < 0 ? .min : .max }
        let (sum, carried) = product.addingReportingOverflow(attoseconds / 1_000_000_000)
        return carried ? .max : sum
    }
}
