package import Groundwork

/// A client on a thread of its own that asks one question after the other until it is told to stop.
package final class Asker: Sendable {
    /// One reply, and how it came.
    package struct Answer: Sendable {
        /// What came.
        package let reply: Reply
        /// When it was asked for.
        package let asked: Instant
        /// When it was there.
        package let at: Instant
    }

    private struct State {
        var answers: [Answer] = []
        var isStopped = false
        var isDone = false
        var failure: String?
    }

    private let state = Groundwork.Mutex(State())

    /// Starts to ask; `request` makes the n-th request.
    package init(_ client: TestClient, _ request: @escaping @Sendable (Int) -> [String]) throws {
        let isStarted = startThread { [self] in
            do {
                var count = 0
                while !state.withLock({ $0.isStopped }) {
                    let asked = Instant.now()
                    try client.send(request(count))
                    let reply = try client.receive()
                    let answer = Answer(reply: reply, asked: asked, at: Instant.now())
                    state.withLock { $0.answers.append(answer) }
                    count += 1
                }
            } catch {
                state.withLock { $0.failure = "\(error)" }
            }
            state.withLock { $0.isDone = true }
        }
        guard isStarted else { throw Failure("no thread to ask on") }
    }

    /// How many answers came so far.
    package var count: Int { state.withLock { $0.answers.count } }
    /// The last answer so far.
    package var last: Answer? { state.withLock { $0.answers.last } }

    /// Stops, and gives all answers.
    package func stop() async throws -> [Answer] {
        state.withLock { $0.isStopped = true }
        guard await eventually({ self.state.withLock { $0.isDone } }) else { throw Failure("an asker hangs") }
        return try state.withLock { state in
            if let failure = state.failure { throw Failure(failure) }
            return state.answers
        }
    }
}
