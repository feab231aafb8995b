public import Groundwork
import Synchronization

extension Group {
    /// Removes what has expired, page by page, until `pages` is used up. Returns when the next entry expires; `now` when
    /// there is more to do.
    func sweep(at now: Instant, pages: inout Int) -> Instant? {
        let tick = tick(now)
        var earliest: Tick?
        for shard in 0..<shards.count {
            while sweepPage(of: shard, at: tick) {
                pages -= 1
                if pages <= 0 { return now }
            }
            earliest = Tick.earliest(earliest, shards.withLock(shard) { $0.store.earliestExpiry })
        }
        // A tick that is not over yet counts as the next one.
        return earliest.map { max(instant($0, from: now), now.advanced(byNanoseconds: 1)) }
    }

    /// One page under one lock. Returns whether there may be more.
    private func sweepPage(of shard: Int, at now: Tick) -> Bool {
        defer { tellObservers(of: shard) }
        let isObserved = isObserved.load(ordering: .relaxed)
        let freed: Int? = shards.withLock(shard) { state in
            var keys: [Key] = []
            let swept = state.store.sweepPage(at: now, leaving: freshness.leaving) { record in
                if isObserved { keys.append(Key(Array(record.key))) }
            }
            guard let swept else { return nil }
            state.events += keys.map { (.expired, $0) }
            state.counters.expirations += swept.removed
            return swept.freed + state.store.trim()
        }
        guard let freed else { return false }
        release(freed)
        return true
    }

    /// Counters and sizes, gathered shard by shard.
    public var statistics: GroupStatistics {
        (0..<shards.count).reduce(into: GroupStatistics()) { sum, shard in
            sum += shards.withLock(shard) { state in
                var counters = state.counters
                counters.entries = state.store.count
                counters.expiring = state.store.count - (freshness.endsWhenIdle ? 0 : state.store.unlimitedCount)
                counters.bytes = state.store.bytes
                return counters
            }
        }
    }

    /// The number of entries in memory, expired ones that were not swept yet included.
    public var count: Int { (0..<shards.count).reduce(0) { $0 + shards.withLock($1) { $0.store.count } } }

    /// Calls `body` for each entry that may be served. It is called outside every lock; entries that come or go meanwhile
    /// may or may not be among them.
    public func forEach(_ body: (Key, Value) throws -> Void) rethrows {
        var cursor = 0
        repeat {
            let (keys, next) = keys(from: cursor, count: 128, at: cache.clock())
            for key in keys {
                if let value = peek(key) { try body(key, value) }
            }
            cursor = next
        } while cursor != 0
    }

    /// The keys that were asked for most of late, most asked first, with about how often; of at most 64 for each shard. The
    /// figures are estimates from one lookup in thirty-two.
    public func mostAccessed(_ count: Int) -> [(key: Key, lookups: Int)] {
        let all = (0..<shards.count).flatMap { shards.withLock($0) { $0.hotKeys.estimates } }
        return Array(all.sorted { $0.lookups > $1.lookups }.prefix(max(0, count)))
    }

    /// Some of the keys in memory: about `count`, from `cursor` on, which is 0 at first and again when all have been seen.
    /// A key that is in memory from the first call to the last is among them.
    public func keys(from cursor: Int, count: Int, at now: Instant) -> (keys: [Key], next: Int) {
        var keys: [Key] = []
        var place = cursor >> 32
        var slot = cursor & 0xffff_ffff
        let tick = tick(now)
        while place >= 0, place < shards.count {
            let isDone = shards.withLock(place) { state in
                // A few slots at a time, so that no lookup waits long.
                let end = min(slot + 128, state.store.slots.count)
                while slot < end, keys.count < count {
                    let entry = state.store.slots[slot].pointee
                    slot += 1
                    guard let record = Record(entry), !(freshness.leaving(entry)?.isReached(at: tick) ?? false) else {
                        continue
                    }
                    keys.append(Key(Array(record.key)))
                }
                return slot >= state.store.slots.count
            }
            if isDone {
                place += 1
                slot = 0
            }
            if keys.count >= count { break }
        }
        return (keys, place >= shards.count ? 0 : place << 32 | slot)
    }

    /// What does not fit together in it, in words; empty when all does. For tests. O(entries).
    public func checkInvariants() -> [String] {
        var violations: [String] = []
        var bytes = 0
        for shard in 0..<shards.count {
            shards.withLock(shard) { state in
                violations += state.store.invariantViolations()
                bytes += state.store.bytes
            }
        }
        if bytes != budget.used { violations.append("stores take \(bytes) bytes, the budget says \(budget.used)") }
        if budget.used > budget.limit { violations.append("\(budget.used) bytes taken of \(budget.limit)") }
        if cache.budget.used > cache.budget.limit {
            violations.append("\(cache.budget.used) bytes taken of \(cache.budget.limit) in all")
        }
        return violations
    }
}
