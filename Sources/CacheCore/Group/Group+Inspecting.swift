package import Groundwork

/// What is known of one entry in memory.
public struct EntryInspection: Sendable, Equatable {
    /// The bytes that it takes, overhead included.
    public let bytes: Int
    /// The time since it was last asked for, as exactly as the group notes it.
    public let idle: Duration
    /// How much longer it is served if nobody asks for it; nil: without limit. To 17 ms.
    public let remaining: Duration?
    /// About how many lookups it had of late: 0, unless it is among those of ``Group/mostAccessed(_:)``.
    public let lookups: Int
}

extension Group {
    /// Tells about an entry; nil when it is not in memory. Counts as no lookup. One lock.
    package func inspect(_ key: RawSpan, at now: Instant) -> EntryInspection? {
        let inspection = withServable(key, at: now) { index, state -> EntryInspection? in
            let slot = state.store[index]
            guard let record = Record(slot) else { return nil }
            let lookups = state.hotKeys.estimates.first { record.hasKey($0.key.bytes.span.bytes) }?.lookups
            let end = state.freshness.servedUntil(slot)
            return EntryInspection(
                bytes: record.cost + EntryStore.slotCost,
                idle: .nanoseconds(max(0, -nanoseconds(from: now, to: slot.asked))),
                remaining: end.map { .nanoseconds(nanoseconds(from: now, to: $0)) }, lookups: lookups ?? 0)
        }
        return inspection ?? nil
    }

    /// Counters and sizes, gathered shard by shard.
    public var statistics: GroupStatistics {
        (0..<shards.count).reduce(into: GroupStatistics()) { sum, shard in
            sum += withShard(shard) { state in
                var counters = state.counters
                counters.entries = state.store.count
                counters.expiring = state.store.count - (state.freshness.endsWhenIdle ? 0 : state.store.unlimitedCount)
                counters.bytes = state.store.bytes
                return counters
            }
        }
    }

    /// How long loads took, those included that failed.
    package var loadTimes: LoadTimes {
        (0..<shards.count).reduce(into: LoadTimes()) { sum, shard in sum += withShard(shard) { $0.loadTimes } }
    }

    /// Loads that run, and those that wait for their turn behind `maxLoads`.
    package var loadsUnderWay: (running: Int, queued: Int) { gate.withLock { ($0.activeCount, $0.queuedCount) } }

    /// The number of entries in memory, expired ones that were not swept yet included.
    public var count: Int { (0..<shards.count).reduce(0) { $0 + withShard($1) { $0.store.count } } }

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
        let all = (0..<shards.count).flatMap { withShard($0) { $0.hotKeys.estimates } }
        return Array(all.sorted { $0.lookups > $1.lookups }.prefix(max(0, count)))
    }

    /// Some of the keys in memory: about `count`, from `cursor` on, which is 0 at first and again when all have been seen.
    /// A key that is in memory from the first call to the last is among them.
    package func keys(from cursor: Int, count: Int, at now: Instant) -> (keys: [Key], next: Int) {
        var keys: [Key] = []
        var shard = cursor >> 32
        var slot = cursor & 0xffff_ffff
        let tick = tick(now)
        while shard >= 0, shard < shards.count {
            let isDone = withShard(shard) { state in
                // A few slots at a time, so that no lookup waits long.
                let end = min(slot + 128, state.store.slotCount)
                while slot < end, keys.count < count {
                    let entry = state.store[SlotIndex(slot)]
                    slot += 1
                    guard let record = Record(entry), !(state.freshness.leaving(entry)?.isReached(at: tick) ?? false)
                    else {
                        continue
                    }
                    keys.append(Key(record))
                }
                return slot >= state.store.slotCount
            }
            if isDone {
                shard += 1
                slot = 0
            }
            if keys.count >= count { break }
        }
        return (keys, shard >= shards.count ? 0 : shard << 32 | slot)
    }

    /// Its broken invariants, in words; empty when all hold. For tests. O(entries).
    package func checkInvariants() -> [String] {
        var violations: [String] = []
        var bytes = 0
        for shard in 0..<shards.count {
            withShard(shard) { state in
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
