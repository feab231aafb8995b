package import Groundwork
import Singleflight

typealias FlightCall = Call<Waiter>

/// When a load came to each part of its way; nil: it did not, or nobody noted it.
struct FlightTimes: Sendable {
    /// It was given to its group.
    var asked: Instant?
    /// The getter got it.
    var started: Instant?
    /// The getter asked its source.
    var sent: Instant?
}

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
    var times = FlightTimes()

    init(_ key: Key, of group: Group, call: FlightCall) {
        self.key = key
        self.group = group
        self.call = call
    }

    deinit {
        guard let call else { return }
        group.land(call, of: key, times, .failure(Self.abandoned(group)))
    }

    /// Whether anybody still waits, or it refreshes or reloads an entry and was not fenced since. A load that was not
    /// sent yet and is not wanted is best dropped.
    public var isWanted: Bool { isWanted(at: group.cache.clock()) }

    /// The same, for a caller that knows the time.
    package func isWanted(at now: Instant) -> Bool {
        guard let call else { return false }
        return group.isWanted(call, of: key, at: now)
    }

    /// The hash of its key, for ``Group/prefetch(_:_:hash:)``.
    package var keyHash: KeyHash { KeyHash(key) }

    /// Ends the flight with a value, and wakes every waiter. The value is stored unless it is transient, the key was
    /// invalidated meanwhile, or the group's storing is suspended.
    public consuming func succeed(_ value: Value) {
        end(.success(value))
    }

    /// Ends the flight with an error, which every waiter gets and nobody keeps.
    public consuming func fail(_ error: LoadError) {
        end(.failure(error))
    }

    /// Ends the flight either way.
    public consuming func end(_ outcome: Outcome) {
        guard let call = self.call.take() else { return }
        group.land(call, of: key, times, outcome)
    }

    /// Whether it can end with others of `group`: it is that group's, and passed the group's gate.
    package func canEnd(withOthersOf group: Group) -> Bool { times.started != nil && self.group === group }

    /// Ends the flight as one of several of which each can (``canEnd(withOthersOf:)``).
    package consuming func end(_ outcome: Outcome, with others: borrowing CommonEnd) {
        guard let call = self.call.take() else { return }
        group.landOutsideGate(call, of: key, times, outcome, at: others.now)
    }

    /// Notes when the source was asked, for a getter in which loads wait for something before that.
    package mutating func noteSent(at time: Instant) {
        times.sent = time
    }

    private static func abandoned(_ group: Group) -> LoadError {
        LoadError(.abandoned, "\(group.name): the load ended without an answer")
    }
}

/// The end of several flights of a group that one answer of the source ends: the group's gate, which all threads share, is left
/// once for all of them, and before anybody is told. Loads that wait for it start when all have ended.
package struct CommonEnd: ~Copyable {
    fileprivate let group: Group
    fileprivate let now: Instant
    private let isNext: Bool

    /// Exactly so many flights of `group` have to be ended with it.
    package init(of group: Group, count: Int) {
        self.group = group
        now = group.cache.clock()
        isNext = group.gate.withLock { $0.leave(count) }
    }

    deinit {
        if isNext { group.startQueued() }
    }
}
