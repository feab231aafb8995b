/// A clock as nanoseconds, and sleep by it.
public struct TimeSource: Sendable {
    /// Nil: the system's monotonic clock, read without detour.
    @usableFromInline let reading: (@Sendable () -> Int64)?
    private let sleeping: @Sendable (Int64) async throws -> Void

    /// `clock` from now on; nil: the system's monotonic clock, as `Instant` has it.
    public init(_ clock: (any Clock<Duration>)?) {
        if let clock {
            self = Self.of(clock)
        } else {
            self.init(reading: nil) { time in
                try await Task.sleep(for: .nanoseconds(max(0, time - Instant.now().nanoseconds)))
            }
        }
    }

    private init(
        reading: (@Sendable () -> Int64)?, sleeping: @escaping @Sendable (Int64) async throws -> Void
    ) {
        self.reading = reading
        self.sleeping = sleeping
    }

    private static func of(_ clock: some Clock<Duration>) -> TimeSource {
        let start = clock.now
        return TimeSource {
            start.duration(to: clock.now).wholeNanoseconds
        } sleeping: {
            try await clock.sleep(until: start.advanced(by: .nanoseconds($0)), tolerance: nil)
        }
    }

    /// The time.
    @inlinable
    public func now() -> Int64 { reading?() ?? Instant.now().nanoseconds }

    /// Returns at `time`.
    public func sleep(until time: Int64) async throws {
        try await sleeping(time)
    }
}
