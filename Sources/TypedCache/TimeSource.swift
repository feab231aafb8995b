import Groundwork

/// A clock as nanoseconds.
@usableFromInline
struct TimeSource: Sendable {
    /// Nil: the system's monotonic clock, read without detour.
    @usableFromInline let reading: (@Sendable () -> Int64)?
    private let sleeping: @Sendable (Int64) async throws -> Void

    init(_ clock: (any Clock<Duration>)?) {
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
    @usableFromInline
    func now() -> Int64 { reading?() ?? Instant.now().nanoseconds }

    /// Returns at `time`.
    func sleep(until time: Int64) async throws {
        try await sleeping(time)
    }
}

/// Wakes somebody at the earliest of the times that it is told.
final class Alarm: Sendable {
    private struct State {
        var due: Int64 = .max
        var sleeper: Task<Void, Never>?
    }

    private let state = Mutex(State())
    private let time: TimeSource

    init(_ time: TimeSource) {
        self.time = time
    }

    deinit {
        state.withLock { $0.sleeper }?.cancel()
    }

    /// Calls `wake` at `due`, unless it is called before that anyway. Each call of it makes room for the next.
    func expect(_ due: Int64, _ wake: @escaping @Sendable () -> Void) {
        guard due != .max else { return }
        let former: Task<Void, Never>? = state.withLock { state in
            guard due < state.due else { return nil }
            state.due = due
            defer {
                // The alarm is held by nobody who sleeps, so that it goes with its cache.
                state.sleeper = Task.detached { [weak self, time] in
                    guard (try? await time.sleep(until: due)) != nil, let self, self.begin(due) else { return }
                    wake()
                }
            }
            return state.sleeper
        }
        former?.cancel()
    }

    /// Whether the sleeper of `due` is still the one to wake up.
    private func begin(_ due: Int64) -> Bool {
        state.withLock { state in
            guard state.due == due else { return false }
            state.due = .max
            return true
        }
    }
}
