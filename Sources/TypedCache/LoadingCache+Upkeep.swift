import CacheCore
import Groundwork
import Logging
import Synchronization

extension LoadingCache {
    // MARK: Room

    /// Evicts until the entries cost no more than they may: of a few shards' oldest entries, the one that has gone longest
    /// without being asked for.
    func makeRoom(near number: Int) {
        while total.load(ordering: .relaxed) > settings.capacity {
            guard evict(from: coldest(near: number)) || shards.contains(where: { evict(from: $0) }) else { return }
        }
    }

    private func coldest(near number: Int) -> Shard<Key, Value> {
        guard shards.count > 1 else { return shards[0] }
        let first = turn.wrappingAdd(2, ordering: .relaxed).oldValue
        var coldest = (shard: shards[number], accessed: Int64.max)
        for candidate in [number, first & (shards.count - 1), (first &+ 1) & (shards.count - 1)] {
            let accessed: Int64 = shards[candidate].state.withLock { state in
                state.entries.oldest < 0 ? .max : state.entries.slots[state.entries.oldest].accessed
            }
            if accessed < coldest.accessed { coldest = (shards[candidate], accessed) }
        }
        return coldest.shard
    }

    /// Returns whether there was one to evict, or no need to.
    private func evict(from shard: Shard<Key, Value>) -> Bool {
        var changes = Changes<Key, Value>()
        let isDone = withState(shard) { state in
            // Somebody else may have made room meanwhile.
            guard total.load(ordering: .relaxed) > settings.capacity else { return true }
            guard state.entries.oldest >= 0 else { return false }
            state.counters.evictions += 1
            changes.remove(state.entries.remove(state.entries.oldest), .evicted)
            return true
        }
        tell(changes)
        return isDone
    }

    // MARK: Time

    /// Has expired entries and late loads looked for at `time`. A task of the cache's own sleeps until then, one at a time.
    func expectUpkeep(at time: Int64) {
        alarm.expect(time) { [weak self] in self?.upkeep() }
    }

    /// Removes what has expired and gives up loads that take too long.
    private func upkeep() {
        let now = time.now()
        var (nextExpiry, nextLate) = (Int64.max, Int64.max)
        for shard in shards {
            let (late, next) = shard.state.withLock { state in
                let late = state.loads.values.filter { $0.deadline <= now }
                let next = state.loads.values.lazy.map(\.deadline).filter { $0 > now }.min()
                return (late, next ?? .max)
            }
            for load in late { giveUp(load) }
            nextLate = min(nextLate, next)
            nextExpiry = min(nextExpiry, sweep(shard, at: now))
        }
        // A pause, so that entries that expire one after the other don't have every page looked through for each.
        let pause: Int64 = 100_000_000
        expectUpkeep(at: min(nextLate, nextExpiry == .max ? .max : max(nextExpiry, now + pause)))
    }

    /// Removes what has expired from a shard, a page at a time under its lock. Returns when to look again.
    private func sweep(_ shard: Shard<Key, Value>, at now: Int64) -> Int64 {
        var page = 0
        var count = 0
        while true {
            var changes = Changes<Key, Value>()
            let isThere = withState(shard) { state in
                guard page < state.entries.pageCount else { return false }
                state.entries.sweep(page: page, at: now) { changes.remove($0, .expired) }
                state.counters.expirations += changes.removed.count
                return true
            }
            guard isThere else { break }
            count += changes.removed.count
            tell(changes)
            page += 1
        }
        if count > 0 {
            settings.logger?.debug("entries expired", metadata: ["cache": "\(name)", "entries": "\(count)"])
        }
        return shard.state.withLock { $0.entries.earliestEnd }
    }
}
