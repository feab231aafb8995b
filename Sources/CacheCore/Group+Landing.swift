import Groundwork
import Singleflight

extension Group {
    /// Whether anybody waits for a flight at `now`.
    func isWanted(_ call: FlightCall, of key: Key, at now: Instant) -> Bool {
        shard(of: key).state.withLock { state in
            state.flights.hasWaiter(call) { now < $0.deadline }
        }
    }

    /// Ends a flight: stores what it brought, unless the key was invalidated meanwhile, then tells those who wait.
    func land(_ call: FlightCall, of key: Key, _ outcome: Outcome) {
        let now = cache.clock()
        let entry = entry(for: outcome, of: key, at: now)
        let (landing, grown) = shard(of: key).state.withLock { state in
            let landing = state.flights.land(call, of: key)
            Self.count(outcome, landing, in: &state.counters)
            // Landing and storing are one step: an invalidation comes either before, and then the flight was fenced, or
            // after, and then it finds the entry.
            guard let entry, !landing.isForgotten else { return (landing, 0) }
            return (landing, Self.store(entry, at: self.tick(now), in: &state.store))
        }
        if let entry {
            release(entry.cost - grown)
            if grown != 0, let expires = entry.expires { cache.expectExpiry(at: instant(expires, from: now)) }
        }
        for waiter in landing.waiters { waiter.sink.deliver(outcome, token: waiter.token) }
    }

    /// What would be stored, with room for it reserved.
    private struct PreparedEntry {
        let key: Key
        let hash: UInt64
        let value: Value
        let expires: Tick?
        let cost: Int
    }

    private func entry(for outcome: Outcome, of key: Key, at now: Instant) -> PreparedEntry? {
        guard case .success(let value) = outcome, key.bytes.count <= Record.keyLimit else { return nil }
        let life = value.isMissing ? settings.negativeTimeToLive : settings.timeToLive
        if let life, life <= .zero { return nil }
        let hash = key.bytes.withUnsafeBytes { EntryStore.hash($0) }
        let cost = Record.cost(keyLength: key.bytes.count, value: value) + EntryStore.slotCost
        guard reserve(cost, near: hash) else {
            shard(of: hash).0.state.withLock { $0.counters.tooLarge += 1 }
            return nil
        }
        let expires = life.map { tick(now.advanced(byNanoseconds: min($0.wholeNanoseconds, Tick.horizon))) }
        return PreparedEntry(key: key, hash: hash, value: value, expires: expires, cost: cost)
    }

    /// Puts an entry into a store, in place of the one that is there. Returns by how many bytes the store grew.
    private static func store(_ entry: PreparedEntry, at now: Tick, in store: inout EntryStore) -> Int {
        let present = entry.key.bytes.withUnsafeBytes { store.locate($0, hash: entry.hash) }
        let freed = present == .none ? 0 : store.remove(present)
        let grown = store.insert(
            entry.key.bytes.span.bytes, hash: entry.hash, value: entry.value, expires: entry.expires, at: now)
        return (grown ?? 0) - freed
    }

    private static func count(
        _ outcome: Outcome, _ landing: FlightTable<Key, Waiter>.Landing, in counters: inout GroupStatistics
    ) {
        if landing.waiters.count > 1 { counters.sharedLoads += 1 }
        switch outcome {
        case .success: if landing.isForgotten { counters.fenced += 1 }
        case .failure: counters.loadErrors += 1
        }
    }

    private func shard(of key: Key) -> Shard {
        shard(of: key.bytes.withUnsafeBytes { EntryStore.hash($0) }).0
    }

    // MARK: Room

    /// Takes `bytes` from the group's share and from the whole, evicting until they fit. False when they can't.
    private func reserve(_ bytes: Int, near hash: UInt64) -> Bool {
        guard bytes <= budget.limit, bytes <= cache.budget.limit else { return false }
        let place = shard(of: hash).1
        while true {
            if budget.reserve(bytes) {
                if cache.budget.reserve(bytes) { return true }
                budget.release(bytes)
                guard cache.evictColdest(cache.budget.shortage(for: bytes), near: place) > 0 else { return false }
            } else {
                guard evict(budget.shortage(for: bytes), near: place) > 0 else { return false }
            }
        }
    }

    /// Evicts from the shard at `place`, or when it is empty from the next that is not. Returns what was freed.
    func evict(_ bytes: Int, near place: Int) -> Int {
        for offset in 0..<shards.count {
            let freed = shards[(place + offset) & (shards.count - 1)].evict(bytes)
            if freed > 0 {
                release(freed)
                return freed
            }
        }
        return 0
    }

    /// Gives bytes back to the group's share and to the whole.
    func release(_ bytes: Int) {
        budget.release(bytes)
        cache.budget.release(bytes)
    }
}
