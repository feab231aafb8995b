import CacheCore
import Groundwork
import Singleflight
import Synchronization

extension LoadingCache {
    /// Puts a value in, or in place of the one that is there, which is returned. A load of the key that is under way is
    /// fenced: what it brings goes to those who wait for it and is not kept, since it may be older.
    ///
    /// A value that costs more than `settings.capacity`, or has no time to live, is not kept; the former one goes nevertheless.
    ///
    /// - Parameters:
    ///   - value: What is asked for.
    ///   - key: By what.
    ///   - lifespan: How long it lives; nil: as the cache's rule says.
    ///   - onExpiry: Called with the value when it has left for time. Not when it was removed, replaced or evicted.
    @discardableResult
    public func insert(
        _ value: Value, for key: Key, lifespan: Lifespan? = nil, onExpiry: (@Sendable (Value) -> Void)? = nil
    ) -> Value? {
        let key = HashedKey(key)
        let (cost, lifespan) = describe(value, of: key, lifespan)
        let now = time.now()
        var changes = Changes<Key, Value>()
        let former: Value? = withState(of: key) { state in
            state.flights.forget(key)
            let former = state.peek(key, at: now)
            store(
                Content(key: key, value: value, onExpiry: onExpiry), cost: cost, lifespan, at: now, in: &state, &changes
            )
            return former
        }
        settle(changes, near: key)
        return former
    }

    /// Puts a value in unless memory holds one for `key`; fences as ``insert(_:for:lifespan:onExpiry:)`` does. Returns whether
    /// it was put in.
    @discardableResult
    public func insertIfAbsent(
        _ value: Value, for key: Key, lifespan: Lifespan? = nil, onExpiry: (@Sendable (Value) -> Void)? = nil
    ) -> Bool {
        let key = HashedKey(key)
        let (cost, lifespan) = describe(value, of: key, lifespan)
        let now = time.now()
        var changes = Changes<Key, Value>()
        let isAbsent: Bool = withState(of: key) { state in
            guard state.peek(key, at: now) == nil else { return false }
            state.flights.forget(key)
            store(
                Content(key: key, value: value, onExpiry: onExpiry), cost: cost, lifespan, at: now, in: &state, &changes
            )
            return !changes.added.isEmpty
        }
        settle(changes, near: key)
        return isAbsent
    }

    /// Drops `key`, because the source has changed, and returns the value that was there. A load that is under way is fenced:
    /// what it brings goes to those who wait for it and is not kept, and whoever asks from now on gets a new load.
    @discardableResult
    public func remove(_ key: Key) -> Value? {
        let key = HashedKey(key)
        let now = time.now()
        var changes = Changes<Key, Value>()
        let former: Value? = withState(of: key) { state in
            state.flights.forget(key)
            guard let index = state.entries.find(key) else { return nil }
            let former = state.peek(key, at: now)
            state.counters.invalidations += 1
            changes.remove(state.entries.remove(index), .removed)
            return former
        }
        settle(changes, near: key)
        return former
    }

    /// Drops everything, and fences every load. O(entries).
    public func removeAll() {
        for shard in shards {
            var former: [Content<Key, Value>] = shard.state.withLock { state in
                state.flights.forgetAll()
                state.counters.invalidations += state.entries.count
                total.subtract(state.entries.cost, ordering: .relaxed)
                var entries = EntryTable<Key, Value>()
                swap(&entries, &state.entries)
                return entries.contents.compactMap(\.self)
            }
            var changes = Changes<Key, Value>()
            if isObserved.load(ordering: .relaxed) { changes.removed = former.map { ($0, .removed) } }
            former = []
            tell(changes)
        }
    }

    /// Notes that `key` was asked for just now. Returns whether memory holds a value for it.
    @discardableResult
    public func touch(_ key: Key) -> Bool {
        let key = HashedKey(key)
        let now = time.now()
        return withState(of: key) { state in
            guard let index = state.findServable(key, at: now), state.entries.contents[index]?.value != nil else {
                return false
            }
            state.entries.ask(index, at: now)
            return true
        }
    }

    // MARK: How

    /// What the cache's closures say of a value. Outside every lock.
    func describe(_ value: Value, of key: HashedKey<Key>, _ lifespan: Lifespan?) -> (cost: Int, Lifespan?) {
        (max(1, cost(key.key, value)), lifespan ?? self.lifespan?(key.key, value))
    }

    /// Puts an entry into a shard, or takes the former one out if it is not to be kept.
    func store(
        _ content: Content<Key, Value>, cost: Int, _ lifespan: Lifespan?, loadTime: Int64 = 0, at now: Int64,
        in state: inout ShardState<Key, Value>, _ changes: inout Changes<Key, Value>
    ) {
        let isTooLarge = cost > settings.capacity
        if isTooLarge { state.counters.tooLarge += 1 }
        let slot =
            isTooLarge
            ? nil
            : rules.slot(
                isMissing: content.value == nil, own: lifespan, cost: cost, loadTime: loadTime, at: now,
                chance: state.random.chance())
        state.store(content, slot, at: now, &changes)
    }

    /// Runs `body` with the lock of the key's shard held, and keeps the sum of costs.
    func withState<Result: Sendable>(
        of key: HashedKey<Key>, _ body: (inout ShardState<Key, Value>) -> Result
    ) -> Result {
        withState(shard(of: key), body)
    }

    func withState<Result: Sendable>(
        _ shard: Shard<Key, Value>, _ body: (inout ShardState<Key, Value>) -> Result
    ) -> Result {
        shard.state.withLock { state in
            let former = state.entries.cost
            let result = body(&state)
            let grown = state.entries.cost - former
            if grown != 0 { total.add(grown, ordering: .relaxed) }
            return result
        }
    }

    /// What has to follow a change, outside the lock: room is made, what went and came is told, and time will be looked after.
    func settle(_ changes: Changes<Key, Value>, near key: HashedKey<Key>) {
        tell(changes)
        guard !changes.added.isEmpty else { return }
        makeRoom(near: shardNumber(of: key))
        expectUpkeep(at: changes.due)
    }
}
