import Groundwork

/// Whether a database's first connection came about. Any thread.
final class FirstConnection: Sendable {
    private struct State {
        var isThere = false
        /// Why attempts failed while none succeeded, and how many did.
        var failure: (reason: String, count: Int)?
        /// How many attempts are made at once.
        var attempts = Int.max
        var waiting: [CheckedContinuation<String?, Never>] = []

        /// What those who wait are told; nil: to go on waiting.
        var answer: String?? {
            if isThere { return .some(nil) }
            guard let failure, failure.count >= attempts else { return nil }
            return failure.reason
        }
    }

    private let state = Groundwork.Mutex(State())

    /// There is a connection.
    func came() {
        change { $0.isThere = true }
    }

    /// One of `attempts` failed, the first of which are made at once.
    func failed(_ reason: String, of attempts: Int) {
        change { state in
            state.failure = (reason, (state.failure?.count ?? 0) + 1)
            state.attempts = attempts
        }
    }

    /// Waits for it; returns the reason when all attempts of the first round failed.
    func wait() async -> String? {
        await withCheckedContinuation { continuation in
            change { $0.waiting.append(continuation) }
        }
    }

    private func change(_ body: (inout State) -> Void) {
        let (told, answer): ([CheckedContinuation<String?, Never>], String?) = state.withLock { state in
            body(&state)
            guard let answer = state.answer else { return ([], nil) }
            defer { state.waiting = [] }
            return (state.waiting, answer)
        }
        for continuation in told { continuation.resume(returning: answer) }
    }
}
