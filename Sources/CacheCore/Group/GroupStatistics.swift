/// What happened in a group since it was made.
///
/// ``cache(_:)`` has those of one of a group's caches. Of groupcache's Stats, Gets are `gets`, CacheHits `hits` and
/// `negativeHits`, Loads `misses`, LoadsDeduped `loads`, LocalLoads `localLoads` and LocalLoadErrs `loadErrors`.
public struct GroupStatistics: Sendable, Equatable {
    /// Lookups that may load.
    public var gets = 0
    /// Lookups answered from memory with a value.
    public var hits = 0
    /// Callers that got the last value in place of a failed load.
    public var staleHits = 0
    /// Lookups answered from memory with "no such row".
    public var negativeHits = 0
    /// Lookups that had to wait for a load.
    public var misses = 0
    /// Flights that were started, those included that the bounds on loads or the circuit then refused.
    public var loads = 0
    /// Of the loads, those that a hit started to replace its entry in time.
    public var refreshes = 0
    /// Of the loads, those that an invalidation started to bring back what it dropped.
    public var reloads = 0
    /// Of the loads, those that ended having served more than one caller.
    public var sharedLoads = 0
    /// Of the loads, those whose getter brought an answer.
    public var localLoads = 0
    /// Of the loads, those that ended with an error.
    public var loadErrors = 0
    /// Entries that went for time.
    public var expirations = 0
    /// Entries that went for space.
    public var evictions = 0
    /// Entries that went because the source changed, or somebody said so.
    public var invalidations = 0
    /// Loads whose result was not kept because the key was invalidated meanwhile.
    public var fenced = 0
    /// Values that were delivered and not kept, because they were transient or storing was suspended.
    public var transient = 0
    /// Values that were delivered and not kept, because they exceed the group's memory.
    public var tooLarge = 0
    /// Entries in memory now.
    public var entries = 0
    /// Of them, those that will leave at some time, if only because nobody asks for them.
    public var expiring = 0
    /// Bytes that they take now, overhead included.
    public var bytes = 0

    /// Nothing happened yet.
    public init() {}

    /// Adds up, field by field.
    public static func += (left: inout GroupStatistics, right: GroupStatistics) {
        for (_, figure) in named { left[keyPath: figure] += right[keyPath: figure] }
    }

    /// Each figure with the name under which it is shown.
    public static let named: [(name: String, figure: any WritableKeyPath<GroupStatistics, Int> & Sendable)] = [
        ("gets", \.gets), ("hits", \.hits), ("stale_hits", \.staleHits), ("negative_hits", \.negativeHits),
        ("misses", \.misses), ("loads", \.loads), ("refreshes", \.refreshes), ("reloads", \.reloads),
        ("shared_loads", \.sharedLoads), ("local_loads", \.localLoads), ("load_errors", \.loadErrors),
        ("expirations", \.expirations),
        ("evictions", \.evictions), ("invalidations", \.invalidations), ("fenced", \.fenced),
        ("transient", \.transient),
        ("too_large", \.tooLarge),
        ("entries", \.entries), ("expiring", \.expiring), ("bytes", \.bytes),
    ]
}

/// The caches of a group.
public enum CacheKind: Sendable, Hashable, CaseIterable {
    /// Of the keys that this process answers for: all of them as long as it has no peers.
    case main
    /// Of keys that other processes answer for and that are asked for here often: empty as long as there are none.
    case hot
}

/// What one of a group's caches holds and did: groupcache's CacheStats.
public struct CacheStatistics: Sendable, Equatable {
    /// Bytes of keys, values and overhead.
    public var bytes = 0
    /// Entries in it now.
    public var entries = 0
    /// Lookups in it.
    public var gets = 0
    /// Of them, those that it answered.
    public var hits = 0
    /// Entries that went for space.
    public var evictions = 0

    /// Nothing.
    public init() {}
}

extension GroupStatistics {
    /// What one of the group's caches holds and did.
    public func cache(_ kind: CacheKind) -> CacheStatistics {
        var cache = CacheStatistics()
        switch kind {
        case .hot: break
        case .main:
            cache.bytes = bytes
            cache.entries = entries
            cache.gets = gets
            cache.hits = hits + negativeHits
            cache.evictions = evictions
        }
        return cache
    }
}
