import Groundwork
import Singleflight

extension Shard.State {
    /// What memory has for a lookup.
    enum Finding {
        /// What is served.
        case hit(Hit)
        /// What is served, and a flight that is to bring its successor.
        case refreshes(Hit, Key, FlightCall)
        /// Nothing: it has to be loaded.
        case nothing
    }

    /// Answers a lookup from memory, if it can.
    @inline(__always)
    mutating func lookup(
        _ key: RawSpan, hash: UInt64, _ form: Form, at now: Tick, into output: inout OutputRawSpan
    ) -> Finding {
        counters.gets += 1
        if HotKeys.samples(random.next()) { hotKeys.count(key, hash: hash) }
        if let slot = find(key, hash: hash, at: now) {
            switch standing(of: slot, at: now) {
            case .fresh: return .hit(hit(slot, form, at: now, into: &output))
            case .needsRefresh:
                let hit = hit(slot, form, at: now, into: &output)
                let key = Key(copying: key, hash: hash)
                guard let call = refresh(key, slot) else { return .hit(hit) }
                return .refreshes(hit, key, call)
            case .stale: break
            }
        }
        counters.misses += 1
        return .nothing
    }

    /// Has `waiter` wait for the flight of a key; nil when too many do.
    mutating func join(_ key: Key, _ waiter: Waiter) -> FlightTable<Key, Waiter>.Joined? {
        let joined = flights.join(key, waiter)
        switch joined {
        case .leads: counters.loads += 1
        case .follows(let seat):
            guard flights.waiterCount(of: seat.call) <= Group.waiterLimit else {
                flights.leave(seat)
                return nil
            }
        }
        return joined
    }

    /// The slot of a key; if its time in memory is over it is removed, and there is none.
    mutating func find(_ key: RawSpan, hash: UInt64, at now: Tick) -> SlotIndex? {
        let slot = store.locate(key, hash: hash)
        guard slot != .none else { return nil }
        guard let end = freshness.leaving(store[slot]), end.isReached(at: now) else { return slot }
        counters.expirations += 1
        remove(slot, .expired)
        return nil
    }

    /// The slot of a key, if it may be served.
    mutating func findServable(_ key: RawSpan, hash: UInt64, at now: Tick) -> SlotIndex? {
        guard let slot = find(key, hash: hash, at: now) else { return nil }
        return freshness.isStale(store[slot], at: now) ? nil : slot
    }

    private enum Standing {
        /// It is served.
        case fresh
        /// It is served and reloaded.
        case needsRefresh
        /// It is served in place of a failed load only.
        case stale
    }

    private mutating func standing(of index: SlotIndex, at now: Tick) -> Standing {
        let slot = store[index]
        guard slot.flags.contains(.marks), let marks = Record(slot)?.marks else { return .fresh }
        if !slot.flags.contains(.unlimited), marks.stale.isReached(at: now) { return .stale }
        if slot.flags.contains(.refreshing) { return .fresh }
        return freshness.needsRefresh(marks, at: now, chance: { random.chance() }) ? .needsRefresh : .fresh
    }

    /// A flight that replaces an entry; nil when one is under way.
    private mutating func refresh(_ key: Key, _ slot: SlotIndex) -> FlightCall? {
        store[slot].flags.insert(.refreshing)
        switch flights.join(key, nil) {
        case .follows: return nil
        case .leads(let seat):
            counters.loads += 1
            counters.refreshes += 1
            return seat.call
        }
    }

    /// Counts a hit and answers it.
    private mutating func hit(
        _ slot: SlotIndex, _ form: Form, at now: Tick, into output: inout OutputRawSpan
    ) -> Hit {
        store.ask(slot, at: now)
        let hit = store.answer(slot, form, into: &output)
        switch hit {
        case .negative: counters.negativeHits += 1
        case .copied, .large: counters.hits += 1
        }
        return hit
    }

    /// What stands in for a failed load, for so many callers.
    mutating func standIn(_ key: RawSpan, hash: UInt64, for callers: Int, at now: Tick) -> Value? {
        guard freshness.standsIn, let slot = find(key, hash: hash, at: now), let record = Record(store[slot]) else {
            return nil
        }
        counters.staleHits += callers
        return record.value
    }
}
