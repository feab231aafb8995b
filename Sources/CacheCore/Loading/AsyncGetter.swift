import Groundwork

/// A getter from an async closure: each load is a task of its own, which belongs to none of the callers.
public struct AsyncGetter: Getter {
    private let body: @Sendable (Key) async throws -> Value?

    /// `body` returns the value of a key, or nil when there is none. What it throws reaches the callers of ``Group/get(_:)`` as
    /// it is.
    public init(_ body: @escaping @Sendable (Key) async throws -> Value?) {
        self.body = body
    }

    /// Starts a task for the load.
    public func load(_ flight: consuming Flight) {
        let key = flight.key
        let name = flight.group.name
        let parcel = Parcel(flight)
        // Detached: others share the load, and must not get what this caller's task-local values made of it.
        Task.detached { [body] in
            let outcome: Outcome
            do {
                outcome = .success(try await body(key) ?? .missing)
            } catch let error as LoadError {
                outcome = .failure(error)
            } catch is CancellationError {
                // The flight goes with its parcel, and says so.
                return
            } catch {
                outcome = .failure(
                    LoadError(.query, "\(name): the load failed", detail: "\(error)", underlyingError: error))
            }
            parcel.take()?.end(outcome)
        }
    }
}
