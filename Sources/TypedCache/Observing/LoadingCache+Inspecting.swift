public import CacheCore
import Groundwork
import Singleflight
import Synchronization

/// What is known of an entry.
public struct EntryInformation: Sendable, Hashable {
    /// The time since it was loaded or put in.
    public let age: Duration
    /// The time since it was last asked for, or came in.
    public let idle: Duration
    /// How often it was asked for.
    public let accesses: Int
    /// What it costs.
    public let cost: Int
    /// How long it is served yet if nobody asks for it; nil: without limit.
    public let remaining: Duration?
    /// Whether it says that the source has none.
    public let isMissing: Bool
}

extension LoadingCache {
    /// Tells about an entry; nil when memory has none that may be served. Counts as no access.
    public func information(about key: Key) -> EntryInformation? {
        let key = HashedKey(key)
        let now = time.now()
        return withState(of: key) { state in
            guard let index = state.findServable(key, at: now) else { return nil }
            let slot = state.entries.slots[index]
            let end = min(slot.stale, slot.end)
            return EntryInformation(
                age: .nanoseconds(now - slot.created), idle: .nanoseconds(now - slot.accessed), accesses: slot.accesses,
                cost: slot.cost, remaining: end == .max ? nil : .nanoseconds(end - now),
                isMissing: state.entries.contents[index]?.value == nil)
        }
    }

    /// The keys that were asked for most since they came in, most asked first, with how often: exact, over all values in memory.
    /// O(entries).
    public func mostAccessed(_ count: Int) -> [(key: Key, accesses: Int)] {
        let all = snapshot {
            $0.key.key
        } slot: {
            $0.accesses
        }
        return all.sorted { $0.1 > $1.1 }.prefix(max(0, count)).map { (key: $0.0, accesses: $0.1) }
    }

    /// Calls `body` for each value that may be served, outside every lock. Counts as no access. What comes or goes meanwhile
    /// may or may not be among them.
    public func forEach(_ body: (Key, Value) throws -> Void) rethrows {
        for (content, _) in snapshot({ $0 }, slot: { _ in }) {
            if let value = content.value { try body(content.key.key, value) }
        }
    }

    /// The keys of the values that may be served. O(entries).
    public var keys: [Key] {
        snapshot {
            $0.key.key
        } slot: { _ in
        }.map(\.0)
    }

    /// The number of entries in memory, those included that expired just now, or that say that the source has none.
    public var count: Int { shards.reduce(0) { $0 + $1.state.withLock { $0.entries.count } } }

    /// What the entries cost.
    public var totalCost: Int { total.load(ordering: .relaxed) }

    /// What happened since the cache was made. Of the sizes, `bytes` is what the entries cost.
    public var statistics: GroupStatistics {
        shards.reduce(into: GroupStatistics()) { sum, shard in
            sum += shard.state.withLock { state in
                var counters = state.counters
                counters.entries = state.entries.count
                counters.expiring = state.entries.expiringCount
                counters.bytes = state.entries.cost
                return counters
            }
        }
    }

    /// How many callers wait for the load of `key` that newcomers join; 0 when there is none.
    public func callerCount(of key: Key) -> Int {
        let key = HashedKey(key)
        return withState(of: key) { $0.flights.waiterCount(of: key) }
    }

    /// Something of each value that may be served, taken shard by shard.
    private func snapshot<First: Sendable, Second: Sendable>(
        _ first: (Content<Key, Value>) -> First, slot second: (Slot) -> Second
    ) -> [(First, Second)] {
        let now = time.now()
        var all: [(First, Second)] = []
        for shard in shards {
            all += shard.state.withLock { state in
                var part: [(First, Second)] = []
                for index in state.entries.slots.indices {
                    let slot = state.entries.slots[index]
                    guard let content = state.entries.contents[index], content.value != nil,
                        min(slot.stale, slot.end) > now
                    else { continue }
                    part.append((first(content), second(slot)))
                }
                return part
            }
        }
        return all
    }

    /// What does not fit together in it, in words; empty when all does. For tests, while nothing else happens. O(entries).
    func invariantViolations() -> [String] {
        var violations = shards.flatMap { $0.state.withLock { $0.entries.invariantViolations() } }
        let cost = shards.reduce(0) { $0 + $1.state.withLock { $0.entries.cost } }
        if cost != totalCost { violations.append("entries cost \(cost), the sum says \(totalCost)") }
        if cost > settings.capacity { violations.append("entries cost \(cost) of \(settings.capacity)") }
        return violations
    }
}
