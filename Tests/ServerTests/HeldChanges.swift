import Groundwork
import Server

/// Changes that are applied when the test says so. A position is written as a plain number.
final class HeldChanges: Sendable {
    private struct State {
        var applied: UInt64 = 0
        var waiting: [(position: UInt64, done: @Sendable (Bool) -> Void)] = []
    }

    private let state = Groundwork.Mutex(State())

    var changes: AppliedChanges {
        AppliedChanges(
            position: { UInt64($0) }, hasApplied: { position in self.state.withLock { position <= $0.applied } },
            whenApplied: { position, _, done in
                let isApplied = self.state.withLock { state in
                    if position > state.applied { state.waiting.append((position, done)) }
                    return position <= state.applied
                }
                if isApplied { done(true) }
            })
    }

    var waitingCount: Int { state.withLock { $0.waiting.count } }

    func apply(_ position: UInt64) {
        let reached = state.withLock { state in
            state.applied = max(state.applied, position)
            let applied = state.applied
            let reached = state.waiting.filter { $0.position <= applied }
            state.waiting.removeAll { $0.position <= applied }
            return reached
        }
        for waiter in reached { waiter.done(true) }
    }

    /// As when the stream is lost, or does not get there in time.
    func giveUp() {
        let waiting = state.withLock { state in
            defer { state.waiting = [] }
            return state.waiting
        }
        for waiter in waiting { waiter.done(false) }
    }
}
