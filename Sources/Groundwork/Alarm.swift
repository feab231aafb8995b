/// Wakes somebody at the earliest of the times that it is told. Nobody is woken after it is gone.
public final class Alarm: Sendable {
    private struct State {
        var due: Int64 = .max
        var sleeper: Task<Void, Never>?
    }

    private let state = Mutex(State())
    private let time: TimeSource

    /// An alarm by this clock.
    public init(_ time: TimeSource) {
        self.time = time
    }

    deinit {
        state.withLock { $0.sleeper }?.cancel()
    }

    /// Calls `wake` at `due`, unless it is called before that anyway. Each call of it makes room for the next.
    public func expect(_ due: Int64, _ wake: @escaping @Sendable () -> Void) {
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
