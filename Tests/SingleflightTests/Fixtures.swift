import Groundwork
import Singleflight

/// Work that waits until the test lets it go, and counts its runs.
final class HeldWork<Value: Sendable>: Sendable {
    private struct State {
        var runs = 0
        var held: [CheckedContinuation<Value, any Error>] = []
    }

    private let state = Mutex(State())

    /// How often it was started.
    var runs: Int { state.withLock { $0.runs } }

    /// How many runs wait to be let go.
    var heldCount: Int { state.withLock { $0.held.count } }

    /// What a flight runs.
    func run() async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            state.withLock { state in
                state.runs += 1
                state.held.append(continuation)
            }
        }
    }

    /// Ends the oldest run that is held, once there is one.
    func finish(_ outcome: Result<Value, any Error>) async throws {
        try await eventually { self.heldCount > 0 }
        state.withLock { $0.held.removeFirst() }.resume(with: outcome)
    }
}

/// Holds the duty to end a flight, as a connection with a query under way would.
final class Duty: Sendable {
    private let flight = Mutex<FlightGroup<String, Int>.Flight?>(nil)

    func keep(_ kept: consuming FlightGroup<String, Int>.Flight) {
        var kept = Optional(kept)
        flight.withLock { $0 = kept.take() }
    }

    func succeed(_ value: Int) { flight.withLock { $0.take() }?.succeed(value) }

    func drop() { _ = flight.withLock { $0.take() } }
}

/// An error to be told apart by its text.
struct WorkError: Error, Equatable {
    let text: String
}

/// What did not happen in time.
struct DeadlineError: Error {}

/// Waits for `condition`, at most half a minute.
func eventually(_ condition: @Sendable () -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(120)
    while !condition() {
        guard ContinuousClock.now < deadline else { throw DeadlineError() }
        await Task.yield()
    }
}

/// How a call ended, in words.
func words<Value>(_ call: () async throws -> (value: Value, isShared: Bool)) async -> String {
    do {
        let (value, isShared) = try await call()
        return isShared ? "\(value), shared" : "\(value)"
    } catch is CancellationError {
        return "cancelled"
    } catch let error as WorkError {
        return "error: \(error.text)"
    } catch {
        return "error: \(error)"
    }
}
