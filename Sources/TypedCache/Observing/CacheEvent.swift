/// Why an entry left.
public enum RemovalReason: Sendable, Hashable, CaseIterable {
    /// For time.
    case expired
    /// For space.
    case evicted
    /// Somebody said so.
    case removed
    /// A newer value took its place.
    case replaced
}

/// What happens to an entry of a cache.
public enum CacheEvent<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    /// It was loaded, or put in, and is in memory now.
    case added(Key, Value)
    /// It has left memory, and the cache lets go of its value as soon as all observers have been told.
    case removed(Key, Value, RemovalReason)
}

/// Those who observe a cache.
struct Observers<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    typealias Body = @Sendable (CacheEvent<Key, Value>) -> Void

    var bodies: [(id: UInt64, body: Body)] = []
    private var lastID: UInt64 = 0

    mutating func add(_ body: @escaping Body) -> UInt64 {
        lastID += 1
        bodies.append((lastID, body))
        return lastID
    }
}
