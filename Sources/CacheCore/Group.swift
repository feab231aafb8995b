import Glibc
public import Groundwork
import Singleflight

/// A named part of the cache with one getter and its own rules: groupcache's Group.
///
/// It may be used from any thread. A lookup takes one lock for some tens of nanoseconds; nothing is called while it is held.
public final class Group: Sendable {
    /// Its name, as it stands before the `:` of a key on the wire.
    public let name: String
    /// What loads a key.
    public let getter: any Getter
    /// Its rules.
    public let settings: GroupSettings

    let cache: Cache
    let budget: MemoryBudget
    let freshness: Freshness
    let gate: Mutex<LoadGate>
    let breaker: CircuitBreaker?
    let shards: [Shard]
    private let start: Instant

    /// Up to this length a value is copied under the lock.
    public static let copyLimit = Record.copyLimit

    /// A group in `cache`, or in a cache of its own. Groups whose getters ask the same source share a `breaker`.
    public init(
        _ name: String, settings: GroupSettings = GroupSettings(), in cache: Cache = Cache(),
        breaker: CircuitBreaker? = nil, getter: any Getter
    ) throws(DuplicateGroupError) {
        self.name = name
        self.getter = getter
        self.settings = settings
        self.cache = cache
        self.breaker = breaker
        freshness = Freshness(settings)
        gate = Mutex(LoadGate(limit: settings.maxLoads, queueLimit: settings.maxQueuedLoads))
        start = cache.clock()
        budget = MemoryBudget(limit: settings.memory)
        var count = 1
        while count < settings.shards { count *= 2 }
        shards = (0..<count).map { _ in Shard(policy: LRU(), seed: cache.nextSeed()) }
        try cache.add(self)
    }

    /// How long a caller waits for a load.
    public var loadTimeout: Duration { settings.loadTimeout }

    // MARK: Asking

    /// Answers from memory, or joins the flight of the key, or starts one, as one step.
    ///
    /// A value that is found is appended to `output` in the wanted form; with ``copyLimit`` bytes of room it fits unless
    /// it is `.large`. A flight that is given out goes to ``load(_:)``. O(1), one lock.
    public func lookup(
        _ key: RawSpan, _ form: Form, at now: Instant, waiter: Waiter, into output: inout OutputRawSpan
    ) -> Lookup {
        key.withUnsafeBytes { bytes in
            let hash = EntryStore.hash(bytes)
            let (shard, number) = self.shard(of: hash)
            let tick = self.tick(now)
            return shard.state.withLock { state in
                state.counters.gets += 1
                if let place = live(bytes, hash: hash, at: tick, in: &state) {
                    switch standing(of: place, at: tick, in: &state) {
                    case .fresh: return .hit(hit(place, form, at: tick, in: &state, into: &output))
                    case .due:
                        let hit = hit(place, form, at: tick, in: &state, into: &output)
                        guard let flight = refresh(Key(Array(bytes)), place, in: &state) else { return .hit(hit) }
                        return .refreshes(hit, flight)
                    case .stale: break
                    }
                }
                state.counters.misses += 1
                return join(Key(Array(bytes)), in: number, waiter, &state)
            }
        }
    }

    /// Loads a key although it may be in memory, or joins the load that is under way. Never answers from memory.
    public func refresh(_ key: RawSpan, waiter: Waiter) -> Lookup {
        key.withUnsafeBytes { bytes in
            let (shard, number) = self.shard(of: EntryStore.hash(bytes))
            return shard.state.withLock { state in join(Key(Array(bytes)), in: number, waiter, &state) }
        }
    }

    /// Answers from memory or not at all; never loads, and counts as no lookup. O(1), one lock.
    public func peek(_ key: RawSpan, _ form: Form, at now: Instant, into output: inout OutputRawSpan) -> Hit? {
        key.withUnsafeBytes { bytes in
            let hash = EntryStore.hash(bytes)
            let tick = self.tick(now)
            return shard(of: hash).0.state.withLock { state in
                guard let place = live(bytes, hash: hash, at: tick, in: &state), !isStale(place, at: tick, in: state)
                else {
                    return nil
                }
                return Self.answer(state.store.slots[Int(place)].pointee, form, into: &output)
            }
        }
    }

    /// Takes a waiter out of its flight: nobody listens any more. The flight goes on.
    public func leave(_ ticket: Ticket, sink: any OutcomeSink, token: UInt64) {
        shards[ticket.shard].state.withLock { state in
            state.flights.leave(ticket.call) { $0.token == token && $0.sink === sink }
        }
    }

    /// Marks an entry as asked for just now. Returns whether it is in memory.
    public func touch(_ key: RawSpan, at now: Instant) -> Bool {
        key.withUnsafeBytes { bytes in
            let hash = EntryStore.hash(bytes)
            let tick = self.tick(now)
            return shard(of: hash).0.state.withLock { state in
                guard let place = live(bytes, hash: hash, at: tick, in: &state), !isStale(place, at: tick, in: state)
                else {
                    return false
                }
                state.store.ask(place, at: tick)
                return true
            }
        }
    }

    /// How long an entry has left, to 17 ms.
    public func lifetime(of key: RawSpan, at now: Instant) -> Lifetime {
        key.withUnsafeBytes { bytes in
            let hash = EntryStore.hash(bytes)
            let tick = self.tick(now)
            return shard(of: hash).0.state.withLock { state in
                guard let place = live(bytes, hash: hash, at: tick, in: &state), !isStale(place, at: tick, in: state)
                else {
                    return .absent
                }
                let slot = state.store.slots[Int(place)].pointee
                if slot.flags.contains(.unlimited) { return .unlimited }
                let end = Record(slot)?.marks?.stale ?? slot.expires
                return .left(.nanoseconds(end.nanoseconds(after: tick)))
            }
        }
    }

    /// The value that stands in for a failed load of `key`: one that is in memory and past its time to live, by no more
    /// than `staleIfError`. Counts as a stale hit. For a caller whose deadline passes before the flight lands.
    public func standIn(for key: RawSpan, at now: Instant) -> Value? {
        key.withUnsafeBytes { bytes in
            let hash = EntryStore.hash(bytes)
            let tick = self.tick(now)
            return shard(of: hash).0.state.withLock { state in
                standIn(bytes, hash: hash, for: 1, at: tick, in: &state)
            }
        }
    }

    // MARK: Invalidating

    /// Drops the entry of a key and fences its flight: what that brings goes to those who wait and is not kept. From now on
    /// no older value is served or stored. Returns whether there was an entry or a flight.
    @discardableResult
    public func invalidate(_ key: RawSpan) -> Bool {
        key.withUnsafeBytes { bytes in
            let hash = EntryStore.hash(bytes)
            let (dropped, freed) = shard(of: hash).0.state.withLock { state in
                let fenced = state.flights.forget(Key(Array(bytes)))
                let place = state.store.locate(bytes, hash: hash)
                guard place != .none else { return (fenced, 0) }
                state.counters.invalidations += 1
                return (true, state.store.remove(place))
            }
            release(freed)
            return dropped
        }
    }

    /// Drops every entry and fences every flight. Memory is given back outside the locks.
    public func invalidateAll() {
        for shard in shards {
            let old = shard.state.withLock { state in
                state.flights.forgetAll()
                state.counters.invalidations += state.store.count
                var store = EntryStore(policy: LRU())
                swap(&store, &state.store)
                return store
            }
            release(old.bytes)
        }
    }

    // MARK: Looking in

    /// Counters and sizes, gathered shard by shard.
    public var statistics: GroupStatistics {
        shards.reduce(into: GroupStatistics()) { sum, shard in
            sum += shard.state.withLock { state in
                var counters = state.counters
                counters.entries = state.store.count
                counters.bytes = state.store.bytes
                return counters
            }
        }
    }

    // MARK: Under the shard's lock

    /// The entry of a key, unless its time in memory is over: then it goes.
    private func live(
        _ key: UnsafeRawBufferPointer, hash: UInt64, at now: Tick, in state: inout Shard.State
    ) -> SlotIndex? {
        let place = state.store.locate(key, hash: hash)
        guard place != .none else { return nil }
        guard let end = freshness.leaving(state.store.slots[Int(place)].pointee), end.isReached(at: now) else {
            return place
        }
        state.counters.expirations += 1
        // Only counters: a budget has no lock.
        release(state.store.remove(place))
        return nil
    }

    private enum Standing {
        /// It is served.
        case fresh
        /// It is served and reloaded.
        case due
        /// It is served in place of a failed load only.
        case stale
    }

    private func standing(of place: SlotIndex, at now: Tick, in state: inout Shard.State) -> Standing {
        let slot = state.store.slots[Int(place)].pointee
        guard slot.flags.contains(.marks), let marks = Record(slot)?.marks else { return .fresh }
        if marks.stale.isReached(at: now) { return .stale }
        if slot.flags.contains(.refreshing) { return .fresh }
        return freshness.isDue(marks, at: now, chance: { state.random.chance() }) ? .due : .fresh
    }

    private func isStale(_ place: SlotIndex, at now: Tick, in state: borrowing Shard.State) -> Bool {
        Record(state.store.slots[Int(place)].pointee)?.marks?.stale.isReached(at: now) ?? false
    }

    /// A flight that replaces the entry at `place`; nil when one is under way.
    private func refresh(_ key: Key, _ place: SlotIndex, in state: inout Shard.State) -> Flight? {
        state.store.slots[Int(place)].pointee.flags.insert(.refreshing)
        switch state.flights.join(key, nil) {
        case .follows: return nil
        case .leads(let call):
            state.counters.loads += 1
            state.counters.refreshes += 1
            return Flight(key, of: self, call: call, isRefresh: true)
        }
    }

    private func join(_ key: Key, in shard: Int, _ waiter: Waiter, _ state: inout Shard.State) -> Lookup {
        switch state.flights.join(key, waiter) {
        case .follows(let call): return .follows(Ticket(call: call, shard: shard))
        case .leads(let call):
            state.counters.loads += 1
            return .leads(Flight(key, of: self, call: call), Ticket(call: call, shard: shard))
        }
    }

    private func hit(
        _ place: SlotIndex, _ form: Form, at now: Tick, in state: inout Shard.State, into output: inout OutputRawSpan
    ) -> Hit {
        state.store.ask(place, at: now)
        let hit = Self.answer(state.store.slots[Int(place)].pointee, form, into: &output)
        switch hit {
        case .negative: state.counters.negativeHits += 1
        case .copied, .large: state.counters.hits += 1
        }
        return hit
    }

    /// What stands in for a failed load, for so many callers.
    func standIn(
        _ key: UnsafeRawBufferPointer, hash: UInt64, for callers: Int, at now: Tick, in state: inout Shard.State
    ) -> Value? {
        guard settings.staleIfError > .zero, let place = live(key, hash: hash, at: now, in: &state),
            let record = Record(state.store.slots[Int(place)].pointee)
        else { return nil }
        state.counters.staleHits += callers
        return record.value
    }

    private static func answer(_ slot: Slot, _ form: Form, into output: inout OutputRawSpan) -> Hit {
        guard let record = Record(slot), !slot.flags.contains(.negative) else { return .negative }
        if slot.flags.contains(.large) { return .large(record.value) }
        let bytes = record.bytes(form)
        guard bytes.count <= output.freeCapacity else { return .large(record.value) }
        output.withUnsafeMutableBytes { room, filled in
            // Within bounds: checked against the free capacity above.
            if let source = bytes.baseAddress, let target = room.baseAddress {
                memcpy(target + filled, source, bytes.count)
                filled += bytes.count
            }
        }
        return .copied
    }

    // MARK: Where and when

    func shard(of hash: UInt64) -> (Shard, Int) {
        let place = Int(truncatingIfNeeded: hash >> 56) & (shards.count - 1)
        return (shards[place], place)
    }

    func tick(_ now: Instant) -> Tick { Tick(nanoseconds: age(at: now)) }

    /// Nanoseconds since the group's start.
    func age(at now: Instant) -> Int64 { now.nanoseconds - start.nanoseconds }

    func instant(_ tick: Tick, from now: Instant) -> Instant {
        now.advanced(byNanoseconds: tick.nanoseconds(after: self.tick(now)))
    }
}
