import Groundwork
import Singleflight

extension Shard.State {
    /// Removes the entry of a key because the source has changed. Returns whether there was one. Of one that another thread has
    /// just removed, and is still to tell of, it is told here, too.
    @discardableResult
    mutating func drop(_ key: RawSpan, hash: UInt64) -> Bool {
        let slot = store.locate(key, hash: hash)
        guard slot != .none else {
            if !untold.isEmpty {
                let key = Key(copying: key, hash: hash)
                if untold.contains(key) { note(.invalidated, key) }
            }
            return false
        }
        counters.invalidations += 1
        remove(slot, .invalidated)
        return true
    }

    /// Drops the entry of a key and has its flight forgotten. Returns whether there was either.
    mutating func invalidate(_ key: RawSpan, hash: UInt64) -> Bool {
        // Mostly nothing is under way: then no key has to be made.
        let isFenced = flights.count > 0 && flights.forget(Key(copying: key, hash: hash))
        return drop(key, hash: hash) || isFenced
    }

    /// Invalidates a key. Returns the flight that is to bring it back, if it was in memory or on its way back.
    mutating func reload(_ key: RawSpan, hash: UInt64, at now: Tick) -> (Key, FlightCall)? {
        let isInMemory = findServable(key, hash: hash, at: now) != nil
        drop(key, hash: hash)
        let key = Key(copying: key, hash: hash)
        let isOnItsWay = flights.isUnprompted(key)
        flights.forget(key)
        guard isInMemory || isOnItsWay, storing.isOn else { return nil }
        switch flights.join(key, nil) {
        // Not after the forgetting.
        case .follows: return nil
        case .leads(let seat):
            counters.loads += 1
            counters.reloads += 1
            return (key, seat.call)
        }
    }

    /// Has every flight forgotten and begins a new store. Returns the old one, to be taken apart outside the lock.
    mutating func flush(_ fresh: consuming EntryStore, _ change: Storing?) -> EntryStore {
        if let change, change.change > storing.change { storing = change }
        flights.forgetAll()
        counters.invalidations += store.count
        swap(&fresh, &store)
        // The rules may have changed since the new one was made.
        store.noteAsks(exactly: freshness.endsWhenIdle, scale: freshness.scale)
        return fresh
    }

    /// Removes entries by the policy's choice until at least `bytes` are free or none is left. Returns what was freed.
    mutating func evict(_ bytes: Int) -> Int {
        let before = freed
        while freed - before < bytes, let victim = store.victim() {
            counters.evictions += 1
            remove(victim, .evicted)
        }
        freed += store.trim()
        return freed - before
    }

    /// When the policy's next victim was asked for last; nil when there is none.
    mutating func coldest() -> Tick? {
        store.victim().map { store[$0].asked }
    }

    /// Removes what has expired on one page of slots. Returns whether there may be more.
    mutating func sweepPage(at now: Tick) -> Bool {
        var keys: [Key] = []
        let isObserved = isObserved
        let swept = store.sweepPage(at: now, leaving: freshness.leaving) { record in
            if isObserved { keys.append(Key(record)) }
        }
        guard let swept else { return false }
        events += keys.map { (.expired, $0) }
        counters.expirations += swept.removed
        freed += swept.freed + store.trim()
        return true
    }

    mutating func remove(_ slot: SlotIndex, _ event: GroupEvent) {
        note(event, of: slot)
        freed += store.remove(slot, evicted: event == .evicted)
    }
}
