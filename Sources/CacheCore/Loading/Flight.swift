public import Groundwork
import Singleflight

typealias FlightCall = Call<Waiter>

/// The duty to end one load, exactly once.
///
/// It can't be copied, ending it consumes it, and one that is dropped on the way ends itself with an error: no waiter is
/// ever left behind. Any thread may hold it; it is not tied to the client that caused the load.
public struct Flight: ~Copyable, Sendable {
    /// What to load.
    public let key: Key
    /// For which group.
    public let group: Group
    private var call: FlightCall?
    /// Whether it replaces an entry that is still served: then it is wanted though nobody waits.
    private let isRefresh: Bool
    /// When the getter got it; nil: it has not passed the gate.
    var started: Instant?

    init(_ key: Key, of group: Group, call: FlightCall, isRefresh: Bool = false) {
        self.key = key
        self.group = group
        self.call = call
        self.isRefresh = isRefresh
    }

    deinit {
        guard let call else { return }
        group.land(call, of: key, started: started, .failure(Self.abandoned(group)))
    }

    /// Whether anybody still waits at `now`. A load that was not sent yet and is wanted by nobody is best dropped.
    public func isWanted(at now: Instant) -> Bool {
        guard let call else { return false }
        return isRefresh || group.isWanted(call, of: key, at: now)
    }

    /// Ends the flight with a value, which is stored unless the key was invalidated meanwhile, and wakes every waiter.
    public consuming func succeed(_ value: Value) {
        end(.success(value))
    }

    /// Ends the flight with an error, which every waiter gets and nobody keeps.
    public consuming func fail(_ error: LoadError) {
        end(.failure(error))
    }

    private consuming func end(_ outcome: Outcome) {
        guard let call = self.call.take() else { return }
        group.land(call, of: key, started: started, outcome)
    }

    private static func abandoned(_ group: Group) -> LoadError {
        LoadError(.abandoned, "\(group.name): the load ended without an answer")
    }
}
