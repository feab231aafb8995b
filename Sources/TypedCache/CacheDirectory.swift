import Groundwork

/// Caches by name. An application makes one and hands it on; there is none for the whole process.
public final class CacheDirectory: Sendable {
    private struct Member {
        let cache: any AnyObject & Sendable
        let removeAll: @Sendable () -> Void
    }

    private let members = Mutex<[String: Member]>([:])

    /// An empty directory.
    public init() {}

    /// Adds a cache under its name, and keeps it until it is removed.
    ///
    /// - Throws: ``DuplicateCacheError`` when the name is taken.
    public func add<Key, Value>(_ cache: LoadingCache<Key, Value>) throws(DuplicateCacheError) {
        let isNew = members.withLock { members in
            guard members[cache.name] == nil else { return false }
            members[cache.name] = Member(cache: cache) { cache.removeAll() }
            return true
        }
        guard isNew else { throw DuplicateCacheError(name: cache.name) }
    }

    /// The cache of a name; nil when there is none, or one with other keys or values.
    ///
    /// ```swift
    /// let users = directory.cache(named: "users", LoadingCache<UUID, User>.self)
    /// ```
    public func cache<Key, Value>(
        named name: String, _: LoadingCache<Key, Value>.Type = LoadingCache<Key, Value>.self
    ) -> LoadingCache<Key, Value>? {
        members.withLock { $0[name]?.cache } as? LoadingCache<Key, Value>
    }

    /// The names, in alphabetical order.
    public var names: [String] { members.withLock { Array($0.keys) }.sorted() }

    /// Takes a cache away and drops its entries. Whoever holds it may go on using it; its name is free. Returns whether there
    /// was one.
    @discardableResult
    public func remove(named name: String) -> Bool {
        guard let member = members.withLock({ $0.removeValue(forKey: name) }) else { return false }
        member.removeAll()
        return true
    }

    /// Drops all entries of all caches, and fences all their loads.
    public func removeAllEntries() {
        for member in members.withLock({ Array($0.values) }) { member.removeAll() }
    }
}

/// Two caches of one directory cannot have the same name.
public struct DuplicateCacheError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The name that is taken.
    public let name: String

    /// Says which.
    public var description: String { "there is a cache '\(name)' already" }
}
