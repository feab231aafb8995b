import Groundwork

extension Group {
    /// Takes the room that an entry needs, evicting until there is. Returns 0 when the value is not to be stored.
    func reserve(for value: Value, of key: Key, _ freshness: Freshness) -> Int {
        guard freshness.keeps(value) else { return 0 }
        let cost =
            Record.cost(keyLength: key.bytes.count, value: value, marks: freshness.hasMarks) + EntryStore.slotCost
        guard key.bytes.count <= Record.keyLimit, reserve(cost, near: shardNumber(of: key.hash)) else {
            withShard(of: key.hash) { _, state in state.counters.tooLarge += 1 }
            return 0
        }
        return cost
    }

    /// Takes `bytes` from the group's share and from the whole, evicting until they fit. False when they can't.
    private func reserve(_ bytes: Int, near shard: Int) -> Bool {
        guard bytes <= budget.limit, bytes <= cache.budget.limit else { return false }
        while true {
            if budget.reserve(bytes) {
                if cache.budget.reserve(bytes) { return true }
                budget.release(bytes)
                guard cache.evictColdest(cache.budget.shortage(for: bytes), near: shard) > 0 else { return false }
            } else {
                guard evict(budget.shortage(for: bytes), near: shard) > 0 else { return false }
            }
        }
    }

    /// Evicts by the policy's choice from a shard, or when it is empty from the next that is not, until at least `bytes`
    /// are free there or nothing is left in it. Returns what was freed.
    func evict(_ bytes: Int, near shard: Int) -> Int {
        for offset in 0..<shards.count {
            let freed = withShard((shard + offset) & (shards.count - 1)) { $0.evict(bytes) }
            if freed > 0 { return freed }
        }
        return 0
    }

    /// When the entry was last asked for that would be evicted next from a shard, which may be that of another group.
    func coldest(near shard: Int) -> Tick? {
        withShard(shard & (shards.count - 1)) { $0.coldest() }
    }

    /// Gives bytes back to the group's share and to the whole.
    func release(_ bytes: Int) {
        // Mostly what was reserved is what was taken.
        guard bytes != 0 else { return }
        budget.release(bytes)
        cache.budget.release(bytes)
    }

    /// Removes what has expired, page by page, until `pages` is used up. Returns when the next entry expires; `now` when
    /// there is more to do.
    func sweep(at now: Instant, pages: inout Int) -> Instant? {
        let tick = tick(now)
        var earliest: Tick?
        for shard in 0..<shards.count {
            // One page under one lock.
            while withShard(shard, { $0.sweepPage(at: tick) }) {
                pages -= 1
                if pages <= 0 { return now }
            }
            earliest = Tick.earliest(earliest, withShard(shard) { $0.store.earliestExpiry })
        }
        // A tick that is not over yet counts as the next one.
        return earliest.map { max(instant($0, from: now), now.advanced(byNanoseconds: 1)) }
    }
}
