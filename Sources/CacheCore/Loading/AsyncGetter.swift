import Groundwork

/// A getter from an async closure: each load is a task of its own, which belongs to none of the callers.
public struct AsyncGetter: Getter {
    private let body: @Sendable (Key) async throws -> Value?

    /// `body` returns the value of a key, or nil when there is none. A ``LoadError`` that it throws reaches the callers as
    /// it is, any other error as `.query` without its text, which may hold what callers must not see.
    public init(_ body: @escaping @Sendable (Key) async throws -> Value?) {
        self.body = body
    }

    /// Starts a task for the load.
    public func load(_ flight: consuming Flight) {
        let key = flight.key
        let name = flight.group.name
        let duty = Duty(flight)
        // Detached: others share the load, and must not get what this caller's task-local values made of it.
        Task.detached { [body] in
            do {
                duty.end(.success(try await body(key) ?? .missing))
            } catch let error as LoadError {
                duty.end(.failure(error))
            } catch is CancellationError {
                duty.end(nil)
            } catch {
                duty.end(.failure(LoadError(.query, "\(name): the load failed", detail: "\(error)")))
            }
        }
    }

    /// Lets a task hold what can't be copied into its closure. When the task goes without ending it, so does the flight.
    private final class Duty: Sendable {
        private let flight: Mutex<Flight?>

        init(_ flight: consuming Flight) {
            self.flight = Mutex(consume flight)
        }

        func end(_ outcome: Outcome?) {
            guard let flight = flight.withLock({ $0.take() }) else { return }
            switch outcome {
            case .success(let value)?: flight.succeed(value)
            case .failure(let error)?: flight.fail(error)
            case nil: break
            }
        }
    }
}
