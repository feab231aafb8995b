public import CacheCore
public import Groundwork
import Singleflight

/// A part of a cache's keys: its entries and its flights under one lock, so that "is it in memory, else who loads it" is
/// one step.
@usableFromInline
final class Shard<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    @usableFromInline let state = Mutex(ShardState<Key, Value>())

    init() {}
}

/// What a shard's lock guards. Its functions decide; the cache acts on it outside the lock.
@usableFromInline
struct ShardState<Key: Hashable & Sendable, Value: Sendable>: ~Copyable {
    @usableFromInline var entries = EntryTable<Key, Value>()
    @usableFromInline var counters = GroupStatistics()
    var flights = FlightTable<HashedKey<Key>, Caller<Value>>()
    /// Flights that have not landed, forgotten ones included.
    var loads: [ObjectIdentifier: Load<Key, Value>] = [:]
    /// Spreads expiry and decides about early refresh.
    var random = SplitMix64(seed: .random(in: .min ... .max))

    init() {}

    /// A hit for which nothing has to be decided: what most lookups are.
    @inlinable
    mutating func hit(_ key: HashedKey<Key>, at now: Int64) -> Value?? {
        guard let index = entries.find(key) else { return nil }
        let (calmUntil, accessed, idle) = (
            entries.slots[index].calmUntil, entries.slots[index].accessed, entries.slots[index].idle
        )
        guard now < calmUntil, now &- accessed < idle else { return nil }
        entries.ask(index, at: now)
        counters.gets += 1
        let value = entries.contents[index]?.value
        if value == nil { counters.negativeHits += 1 } else { counters.hits += 1 }
        return .some(value)
    }

    /// What may be served, without a trace.
    @inlinable
    func peek(_ key: HashedKey<Key>, at now: Int64) -> Value? {
        guard let index = findServable(key, at: now) else { return nil }
        return entries.contents[index]?.value
    }

    /// The index of an entry that may be served.
    @inlinable
    func findServable(_ key: HashedKey<Key>, at now: Int64) -> Int? {
        guard let index = entries.find(key) else { return nil }
        let (stale, accessed, idle) = (
            entries.slots[index].stale, entries.slots[index].accessed, entries.slots[index].idle
        )
        return now < stale && now &- accessed < idle ? index : nil
    }

    // MARK: Deciding

    /// How memory answered.
    enum Recalled {
        case value(Value?)
        /// And it is time to reload: the caller starts the load, for which nobody waits.
        case refreshes(Value?, Load<Key, Value>)
    }

    /// Answers from memory; nil when it can't.
    mutating func recall(
        _ key: HashedKey<Key>, _ context: LoadContext<Key, Value>, _ changes: inout Changes<Key, Value>
    ) -> Recalled? {
        guard let index = entries.find(key) else { return nil }
        let slot = entries.slots[index]
        switch context.rules.standing(of: slot, at: context.now, chance: { random.chance() }) {
        case .expired:
            counters.expirations += 1
            changes.remove(entries.remove(index), .expired)
            return nil
        case .stale: return nil
        case .fresh: return .value(serve(index, at: context.now))
        case .needsRefresh:
            entries.slots[index] = context.rules.refreshing(slot)
            let value = serve(index, at: context.now)
            guard let load = begin(key, for: nil, context) else { return .value(value) }
            counters.refreshes += 1
            return .refreshes(value, load)
        }
    }

    private mutating func serve(_ index: Int, at now: Int64) -> Value? {
        entries.ask(index, at: now)
        counters.gets += 1
        let value = entries.contents[index]?.value
        if value == nil { counters.negativeHits += 1 } else { counters.hits += 1 }
        return value
    }

    /// Joins the flight of a key. Returns the load if the caller has to start it.
    mutating func begin(
        _ key: HashedKey<Key>, for caller: Caller<Value>?, _ context: LoadContext<Key, Value>
    ) -> Load<Key, Value>? {
        switch flights.join(key, caller) {
        case .follows(let seat):
            caller?.seat = seat
            return nil
        case .leads(let seat):
            caller?.seat = seat
            let load = Load(
                key: key, call: seat.call, getter: context.getter, isRefresh: caller == nil,
                deadline: Rules.later(context.now, context.timeout))
            loads[ObjectIdentifier(load)] = load
            counters.loads += 1
            return load
        }
    }

    /// Puts an entry in; nil `slot`: it is not to be kept, and what is in memory goes, as it is older.
    mutating func store(
        _ content: Content<Key, Value>, _ slot: Slot?, at now: Int64, _ changes: inout Changes<Key, Value>
    ) {
        // Old values that were not served any more have expired, whatever comes in their place.
        let old = entries.find(content.key)
        let isExpired = old.map { entries.slots[$0].end <= now } ?? false
        if isExpired { counters.expirations += 1 }
        guard let slot else {
            if let old { changes.remove(entries.remove(old), isExpired ? .expired : .replaced) }
            return
        }
        changes.remove(entries.put(content, slot), isExpired ? .expired : .replaced)
        changes.add(content, due: slot.end)
    }

    /// Ends a flight. Returns who waited for it and whether its value may be kept; nil when it has ended already.
    mutating func land(_ load: Load<Key, Value>) -> FlightTable<HashedKey<Key>, Caller<Value>>.Landing? {
        guard !load.isLanded else { return nil }
        load.isLanded = true
        loads[ObjectIdentifier(load)] = nil
        let landing = flights.land(load.call, of: load.key)
        if landing.waiters.count > 1 { counters.sharedLoads += 1 }
        return landing
    }

    /// After a failed load: what stands in for its value, and when a hit may start a refresh again.
    mutating func standIn(
        _ key: HashedKey<Key>, for callers: Int, isAllowed: Bool, _ rules: Rules, at now: Int64
    ) -> Value?? {
        guard let index = entries.find(key), entries.slots[index].end > now else { return nil }
        entries.slots[index] = rules.postponed(entries.slots[index], at: now)
        guard isAllowed else { return nil }
        counters.staleHits += callers
        return .some(entries.contents[index]?.value)
    }
}

/// What happened to entries under a lock, to be told, and dropped, outside it.
struct Changes<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    var added: [Content<Key, Value>] = []
    var removed: [(content: Content<Key, Value>, reason: RemovalReason)] = []

    /// When the first of those that were added leaves if nobody asks for it.
    private(set) var due: Int64 = .max

    mutating func add(_ content: Content<Key, Value>, due: Int64) {
        added.append(content)
        self.due = min(self.due, due)
    }

    mutating func remove(_ content: Content<Key, Value>?, _ reason: RemovalReason) {
        if let content { removed.append((content, reason)) }
    }
}
