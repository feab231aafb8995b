import Groundwork

/// What a flight will bring, or has brought, to one caller. Any number of tasks may await it, before the landing or after,
/// and whoever holds it may drop it.
public final class FlightResult<Value: Sendable>: Sendable {
    /// What a flight brought, and whether it went to more than one caller.
    public typealias Answer = (value: Value, isShared: Bool)

    typealias Outcome = Result<Answer, any Error>
    private typealias Continuation = CheckedContinuation<Answer, any Error>

    private struct State {
        /// Set once, when the flight lands; from then on nobody awaits.
        var outcome: Outcome?
        /// By number, which rises with each that comes.
        var awaiting: [UInt64: Continuation] = [:]
        var nextNumber: UInt64 = 0

        mutating func takeNumber() -> UInt64 {
            nextNumber += 1
            return nextNumber
        }
    }

    private let state = Mutex(State())

    init() {}

    /// The value. Throws what the work threw, a ``FlightAbandonedError`` when it ended without an answer, and
    /// `CancellationError`, at once, when the awaiting task is cancelled; the flight and others who await it go on.
    public var value: Value {
        get async throws { try await answer.value }
    }

    /// The value, and whether it went to more than one caller; throws as ``value`` does.
    public var answer: Answer {
        get async throws {
            let number = state.withLock { $0.takeNumber() }
            return try await withTaskCancellationHandler {
                try await withCheckedThrowingContinuation { wait($0, number: number) }
            } onCancel: {
                cancel(number)
            }
        }
    }

    private func wait(_ continuation: Continuation, number: UInt64) {
        let outcome: Outcome? = state.withLock { state in
            if let outcome = state.outcome { return outcome }
            // A task is marked cancelled before its cancellation handler runs. So if the handler had the lock before us the
            // mark is seen here, and if it comes after us it finds the continuation.
            if Task.isCancelled { return .failure(CancellationError()) }
            state.awaiting[number] = continuation
            return nil
        }
        if let outcome { continuation.resume(with: outcome) }
    }

    private func cancel(_ number: UInt64) {
        let continuation = state.withLock { $0.awaiting.removeValue(forKey: number) }
        continuation?.resume(throwing: CancellationError())
    }

    /// Brings the answer, once.
    func land(_ outcome: Outcome) {
        let awaiting = state.withLock { state in
            state.outcome = outcome
            defer { state.awaiting = [:] }
            return state.awaiting
        }
        // In the order of their arrival.
        for (_, continuation) in awaiting.sorted(by: { $0.key < $1.key }) { continuation.resume(with: outcome) }
    }
}
