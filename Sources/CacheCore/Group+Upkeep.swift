public import Groundwork

extension Group {
    /// Removes what has expired, page by page. Returns when the next entry expires.
    func sweep(at now: Instant) -> Instant? {
        let tick = tick(now)
        var earliest: Tick?
        for shard in shards {
            while sweepPage(of: shard, at: tick) {}
            earliest = Tick.earliest(earliest, shard.state.withLock { $0.store.earliestExpiry })
        }
        return earliest.map { instant($0, from: now) }
    }

    /// One page under one lock. Returns whether there may be more.
    private func sweepPage(of shard: Shard, at now: Tick) -> Bool {
        let freed: Int? = shard.state.withLock { state in
            guard let swept = state.store.sweepPage(at: now, leaving: freshness.leaving, expired: { _ in }) else {
                return nil
            }
            state.counters.expirations += swept.removed
            return swept.freed + state.store.trim()
        }
        guard let freed else { return false }
        release(freed)
        return true
    }

    /// Some of the keys in memory: about `count`, from `cursor` on, which is 0 at first and again when all have been seen.
    /// A key that is in memory from the first call to the last is among them.
    public func keys(from cursor: Int, count: Int, at now: Instant) -> (keys: [Key], next: Int) {
        var keys: [Key] = []
        var place = cursor >> 32
        var slot = cursor & 0xffff_ffff
        let tick = tick(now)
        while place >= 0, place < shards.count {
            let isDone = shards[place].state.withLock { state in
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
        for shard in shards {
            shard.state.withLock { state in
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
