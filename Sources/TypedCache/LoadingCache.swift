import CacheCore
public import Groundwork
import Logging
import Singleflight
import Synchronization

/// Values by key, loaded from a slow source when they are asked for: each once, however many ask at once, and kept as they
/// are within a bound.
///
/// A hit takes one short lock and allocates nothing. Everything may be called from any thread or task. `==` and `hash(into:)`
/// of keys run under a lock, and must not call the cache; every closure that is given to it runs outside.
public final class LoadingCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    /// Loads the value of a key; nil when the source has none. What it throws reaches all who wait, and is never kept.
    ///
    /// It runs in a task of its own, which belongs to no caller: it inherits no cancellation and no task-local values.
    public typealias Getter = @Sendable (Key) async throws -> Value?

    /// By this name a ``CacheDirectory`` and the log know it.
    public let name: String
    /// The rules that it was made with.
    public let settings: CacheSettings

    let cost: @Sendable (Key, Value) -> Int
    let lifespan: (@Sendable (Key, Value) -> Lifespan)?
    let rules: Rules
    let timeout: Int64
    let getter: Groundwork.Mutex<Getter>
    let gate: Groundwork.Mutex<LoadGate<Load<Key, Value>>>
    let alarm: Alarm
    @usableFromInline let time: TimeSource
    @usableFromInline let shards: [Shard<Key, Value>]
    /// What all entries cost. Changed under a shard's lock.
    let total = Atomic<Int>(0)
    /// Whose turn it is to be looked at when room is made.
    let turn = Atomic<Int>(0)
    let observers = Groundwork.Mutex(Observers<Key, Value>())
    /// Whether anybody is to be told of what comes and goes: while nobody is, it costs the reading of this.
    let isObserved: Atomic<Bool>

    /// An empty cache.
    ///
    /// - Parameters:
    ///   - name: For logs, and to find it by.
    ///   - settings: Its rules.
    ///   - cost: What an entry costs of `settings.capacity`, at least 1: bytes, say. It is 1 unless this is given.
    ///   - lifespan: How long a value lives that was loaded or put in; `settings` say so unless this is given.
    ///   - clock: What tells the time, for tests. Nil: the system's monotonic clock, which is read fastest.
    ///   - getter: Loads the value of a key. See ``Getter``.
    public init(
        _ name: String = "cache", settings: CacheSettings = CacheSettings(),
        cost: @escaping @Sendable (Key, Value) -> Int = { _, _ in 1 },
        lifespan: (@Sendable (Key, Value) -> Lifespan)? = nil, clock: (any Clock<Duration>)? = nil,
        getter: @escaping Getter
    ) {
        self.name = name
        self.settings = settings
        self.cost = cost
        self.lifespan = lifespan
        self.getter = Groundwork.Mutex(getter)
        rules = Rules(settings)
        timeout = Rules.nanoseconds(settings.loadTimeout)
        gate = Groundwork.Mutex(LoadGate(limit: settings.maxLoads, queueLimit: settings.maxQueuedLoads))
        time = TimeSource(clock)
        alarm = Alarm(time)
        isObserved = Atomic(settings.logger.map { $0.logLevel == .trace } ?? false)
        // A part of few entries would evict what was asked for just now.
        let wanted = min(max(1, settings.shards ?? min(16, settings.capacity / 256)), 1024)
        let count = 1 << (Int.bitWidth - 1 - wanted.leadingZeroBitCount)
        shards = (0..<count).map { _ in Shard() }
    }

    deinit {
        // Nobody waits for them, since whoever waits holds the cache.
        for shard in shards {
            for load in shard.state.withLock({ Array($0.loads.values) }) { load.task?.cancel() }
        }
    }

    // MARK: Asking

    /// The value of `key`, from memory or the source; nil when the source has none.
    ///
    /// Callers that ask for a key at once share one load. A caller that is cancelled returns at once, and the load goes on for
    /// the others. A hit is served to a cancelled caller, too.
    ///
    /// - Throws: What the getter throws. `CancellationError` when the calling task is cancelled, and only then. `LoadError`:
    ///   `timedOut` when the load took longer than `settings.loadTimeout`, `busy` when too many loads wait, `unavailable` while
    ///   `settings.breaker` is open, `abandoned` when the getter was cancelled.
    @inlinable
    nonisolated(nonsending)
        public func get(_ key: Key) async throws -> Value?
    {
        let key = HashedKey(key)
        let now = time.now()
        if let value = shard(of: key).state.withLock({ $0.hit(key, at: now) }) { return value }
        return try await lookUp(key, nil)
    }

    /// The same; if this caller has to start the load, it runs `getter` in place of the cache's own.
    nonisolated(nonsending)
        public func get(_ key: Key, orLoad getter: @escaping Getter) async throws -> Value?
    {
        try await lookUp(HashedKey(key), getter)
    }

    /// Loads `key` now, whatever is in memory, and returns what the source says. Callers at the same time share the load.
    ///
    /// - Throws: As ``get(_:)``.
    nonisolated(nonsending)
        public func refresh(_ key: Key) async throws -> Value?
    {
        try await wait(for: HashedKey(key), nil, asksMemory: false)
    }

    /// What memory holds for `key`: never loads, and counts as no access. Nil when there is nothing, or when the source has
    /// none.
    @inlinable
    public func peek(_ key: Key) -> Value? {
        let key = HashedKey(key)
        let now = time.now()
        return shard(of: key).state.withLock { $0.peek(key, at: now) }
    }

    /// Whether memory holds a value for `key`. Never loads, and counts as no access.
    @inlinable
    public func contains(_ key: Key) -> Bool { peek(key) != nil }

    /// Loads from now on use `getter`. Loads under way go on with the former one.
    public func setGetter(_ getter: @escaping Getter) {
        let former = self.getter.withLock { current in
            defer { current = getter }
            return current
        }
        // It goes outside the lock.
        _ = former
    }

    // MARK: Where

    @inlinable
    func shard(of key: HashedKey<Key>) -> Shard<Key, Value> { shards[shardNumber(of: key)] }

    @inlinable
    func shardNumber(of key: HashedKey<Key>) -> Int {
        Int(truncatingIfNeeded: UInt(bitPattern: key.hash) &>> 40) & (shards.count &- 1)
    }
}
