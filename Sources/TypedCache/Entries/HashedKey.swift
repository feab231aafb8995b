/// A key with its hash, which finds the shard, the entry and the flight: the key itself is hashed once.
@usableFromInline
struct HashedKey<Key: Hashable & Sendable>: Hashable, Sendable {
    @usableFromInline let key: Key
    @usableFromInline let hash: Int

    @inlinable
    init(_ key: Key) {
        self.key = key
        hash = key.hashValue
    }

    @inlinable
    static func == (left: HashedKey, right: HashedKey) -> Bool {
        left.hash == right.hash && left.key == right.key
    }

    @inlinable
    func hash(into hasher: inout Hasher) {
        hasher.combine(hash)
    }
}
