/// One load under way: who waits for it, and whether its key was forgotten meanwhile.
///
/// Its fields belong to the ``FlightTable`` that made it and are touched under the lock of that table's owner only.
public final class Call<Waiter>: @unchecked Sendable {
    // Unchecked: see above. The object itself is only an identity to everyone else.
    @usableFromInline var waiters = Waiters<Waiter>()
    @usableFromInline var isForgotten = false
    /// Whether it was started for nobody who waits.
    @usableFromInline let isUnprompted: Bool

    @inlinable
    init(isUnprompted: Bool) {
        self.isUnprompted = isUnprompted
    }

    @inlinable
    deinit {}
}

/// What a waiter holds of its flight, to leave it by.
public struct Seat<Waiter>: Sendable {
    /// The flight.
    public let call: Call<Waiter>
    /// Nil: nobody waits here.
    @usableFromInline let slot: WaiterSlot?

    @inlinable
    init(_ call: Call<Waiter>, _ slot: WaiterSlot?) {
        self.call = call
        self.slot = slot
    }
}

/// The flights of many keys as a pure state machine: no lock, no I/O, no clock. Whoever owns it guards it, and so can make
/// "look into the cache, else join the flight" one atomic step.
///
/// After x/sync's singleflight: a key has at most one flight that newcomers join; ``forget(_:)`` detaches it.
///
/// This is the form for event loops: `Waiter` is whatever its owner needs to find the one who waits, a connection's number
/// say, and waiting costs a slot in a list, no task and no allocation of its own. The owner calls back those whom
/// ``land(_:of:)`` hands over, or sends them a message. Async code is better off with ``FlightGroup``.
///
/// Every operation is O(1), but for those that say so.
///
/// Inlinable, as code that is generic at run time costs more than the rest of a load.
public struct FlightTable<Key: Hashable, Waiter> {
    /// How a caller came to a flight.
    public enum Joined {
        /// The caller started it and has to see that it lands.
        case leads(Seat<Waiter>)
        /// Somebody else started it.
        case follows(Seat<Waiter>)
    }

    /// What is left of a flight when it has landed.
    public struct Landing {
        /// Those who waited, in the order of their arrival.
        public let waiters: Waiters<Waiter>
        /// Whether the key was forgotten: then the result is for the waiters alone and must not be kept.
        public let isForgotten: Bool

        @inlinable
        init(waiters: Waiters<Waiter>, isForgotten: Bool) {
            self.waiters = waiters
            self.isForgotten = isForgotten
        }
    }

    @usableFromInline var calls: [Key: Call<Waiter>] = [:]

    /// An empty table.
    @inlinable
    public init() {}

    /// The number of keys with a flight that newcomers join.
    @inlinable
    public var count: Int { calls.count }

    /// Whether `key` has a flight that newcomers join.
    @inlinable
    public func isFlying(_ key: Key) -> Bool { calls[key] != nil }

    /// How many wait for the flight of `key` that newcomers join; 0 when there is none.
    @inlinable
    public func waiterCount(of key: Key) -> Int { calls[key]?.waiters.count ?? 0 }

    /// How many wait for a flight.
    @inlinable
    public func waiterCount(of call: Call<Waiter>) -> Int { call.waiters.count }

    /// Whether `key` has a flight that was started for nobody who waits, even if others joined it since.
    @inlinable
    public func isUnprompted(_ key: Key) -> Bool { calls[key]?.isUnprompted ?? false }

    /// Whether a flight was started for nobody who waits.
    @inlinable
    public func isUnprompted(_ call: Call<Waiter>) -> Bool { call.isUnprompted }

    /// Whether the key of a flight was forgotten since it started.
    @inlinable
    public func isForgotten(_ call: Call<Waiter>) -> Bool { call.isForgotten }

    /// Joins the flight of `key`, or starts one. A nil `waiter` starts a flight that nobody waits for.
    @inlinable
    public mutating func join(_ key: Key, _ waiter: Waiter?) -> Joined {
        // Found or put in by one search: hashing the key is most of what this costs.
        Self.join(&calls[key], waiter)
    }

    @inlinable @inline(__always)
    static func join(_ flying: inout Call<Waiter>?, _ waiter: Waiter?) -> Joined {
        if let call = flying { return .follows(seat(in: call, waiter)) }
        let call = Call<Waiter>(isUnprompted: waiter == nil)
        flying = call
        return .leads(seat(in: call, waiter))
    }

    @inlinable @inline(__always)
    static func seat(in call: Call<Waiter>, _ waiter: Waiter?) -> Seat<Waiter> {
        guard let waiter else { return Seat(call, nil) }
        return Seat(call, call.waiters.append(waiter))
    }

    /// Takes one who waits out of its flight; nothing happens when that has landed. Returns whether it was still waiting.
    @inlinable @discardableResult
    public func leave(_ seat: Seat<Waiter>) -> Bool {
        guard let slot = seat.slot else { return false }
        return seat.call.waiters.remove(slot)
    }

    /// Whether anyone of those who wait for `call` satisfies `predicate`; the newest is asked first. O(waiters).
    @inlinable
    public func hasWaiter(_ call: Call<Waiter>, where predicate: (Waiter) -> Bool) -> Bool {
        call.waiters.contains(where: predicate)
    }

    /// Detaches the flight of `key`: it still brings its result to those who wait, later callers start a new one. Returns
    /// whether there was a flight.
    @inlinable @discardableResult
    public mutating func forget(_ key: Key) -> Bool {
        guard let call = calls.removeValue(forKey: key) else { return false }
        call.isForgotten = true
        return true
    }

    /// Detaches every flight. O(flights).
    @inlinable
    public mutating func forgetAll() {
        for call in calls.values { call.isForgotten = true }
        calls.removeAll()
    }

    /// Ends a flight. Its leader calls this once; the waiters are handed over to be told outside the owner's lock.
    @inlinable
    public mutating func land(_ call: Call<Waiter>, of key: Key) -> Landing {
        // A forgotten flight left the table already, and its key may have a successor by now: that one stays.
        if !call.isForgotten { calls.removeValue(forKey: key) }
        var waiters = Waiters<Waiter>()
        swap(&waiters, &call.waiters)
        return Landing(waiters: waiters, isForgotten: call.isForgotten)
    }
}

extension FlightTable: Sendable where Key: Sendable, Waiter: Sendable {}
extension FlightTable.Landing: Sendable where Key: Sendable, Waiter: Sendable {}
