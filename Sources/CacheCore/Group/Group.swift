package import Groundwork
import Singleflight
import Synchronization

/// A named part of the cache with one getter and its own rules: groupcache's Group.
///
/// It may be used from any thread. A lookup takes one lock for some tens of nanoseconds; nothing is called while it is held.
public final class Group: Sendable {
    /// Its name, which no other group of its cache has.
    public let name: String
    /// What loads a key.
    public let getter: any Getter
    /// How many parts a key has; nil when any number will do.
    package let keyParts: Int?
    /// What knows the texts of keys; nil where each text is a key of its own.
    package let spelling: KeySpelling?
    let cache: Cache
    let budget: Budget
    let rules: Groundwork.Mutex<GroupSettings>
    let scale: TickScale
    let gate: Groundwork.Mutex<LoadGate<Flight>>
    let breaker: CircuitBreaker?
    let onLoad: (@Sendable (Outcome) -> Void)?
    let shards: FixedArray<Shard>
    let observers = Observers()
    let unheard = Groundwork.Mutex(UnheardLoads())
    /// How often storing was suspended or resumed; see ``Storing``.
    let storingChanges = Atomic<UInt64>(0)
    private let start: Instant

    /// Up to this length a value is copied under the lock.
    package static var copyLimit: Int { Record.copyLimit }

    /// A group in `cache`, or in a cache of its own. Groups whose getters ask the same source share a `breaker`.
    ///
    /// `onLoad` is called at the end of each load, outside every lock, on the thread that ended it. It must be quick.
    public convenience init(
        _ name: String, settings: GroupSettings = GroupSettings(), in cache: Cache = Cache(),
        breaker: CircuitBreaker? = nil, onLoad: (@Sendable (Outcome) -> Void)? = nil, getter: any Getter
    ) throws(DuplicateGroupError) {
        try self.init(
            name, settings: settings, in: cache, replacing: nil, breaker: breaker, onLoad: onLoad, getter: getter)
    }

    /// The same with the name of a group that is in `cache` yet, and that is to ``retire()``.
    package init(
        _ name: String, settings: GroupSettings, in cache: Cache, replacing old: Group?, breaker: CircuitBreaker?,
        onLoad: (@Sendable (Outcome) -> Void)?, getter: any Getter
    ) throws(DuplicateGroupError) {
        self.name = name
        self.getter = getter
        let keyed = getter as? any KeyedGetter
        keyParts = keyed?.keyParts
        spelling = keyed?.spelling
        rules = Groundwork.Mutex(settings)
        self.cache = cache
        self.breaker = breaker
        self.onLoad = onLoad
        loadTime = Atomic(settings.loadTimeout.wholeNanoseconds)
        standsIn = Atomic(settings.staleIfError > .zero)
        let freshness = Freshness(settings)
        scale = freshness.scale
        gate = Groundwork.Mutex(LoadGate(limit: settings.maxLoads, queueLimit: settings.maxQueuedLoads))
        start = cache.clock()
        budget = Budget(limit: settings.memory)
        var count = 1
        while count < settings.shards { count *= 2 }
        let observers = observers
        shards = FixedArray(count: count) {
            Shard(Shard.State(Self.makeStore(settings), freshness, observers, seed: cache.nextSeed()))
        }
        try cache.add(self, replacing: old)
    }

    deinit {
        cache.budget.release(budget.used)
    }

    /// An empty store for one shard.
    static func makeStore(_ settings: GroupSettings) -> EntryStore {
        EntryStore(
            policy: settings.eviction.makePolicy(), exactly: settings.idleTimeToLive != nil,
            scale: Freshness(settings).scale)
    }

    /// How many callers wait for one load at most. How many may wait in all is the cache's to say.
    package static let waiterLimit = 1 << 17

    /// Its rules.
    public var settings: GroupSettings { rules.withLock { $0 } }
    /// How long a caller waits for a load.
    public var loadTimeout: Duration { .nanoseconds(loadNanoseconds) }
    /// The same in nanoseconds: what a `Duration` takes to be converted adds up when each load does it.
    package var loadNanoseconds: Int64 { loadTime.load(ordering: .relaxed) }
    let loadTime: Atomic<Int64>
    /// Whether the rules let an older value stand in for a load that fails: each miss asks, so there is no lock.
    package var allowsStandIn: Bool { standsIn.load(ordering: .relaxed) }
    let standsIn: Atomic<Bool>

    // MARK: Asking

    /// Answers from memory, or joins the flight of the key, or starts one, as one step.
    ///
    /// A value that is found is appended to `output` in the wanted form; with ``copyLimit`` bytes of room it fits unless
    /// it is `.large`. A flight that is given out goes to ``load(_:)``. O(1), one lock.
    package func lookup(
        _ key: RawSpan, _ form: Form, at now: Instant, waiter: @autoclosure () -> Waiter,
        into output: inout OutputRawSpan
    ) -> Lookup {
        lookup(key, KeyHash(key), form, at: now, waiter: waiter(), into: &output)
    }

    /// The same, for a caller that knows the key's hash; it must be that of `key`.
    package func lookup(
        _ key: RawSpan, _ hash: KeyHash, _ form: Form, at now: Instant, waiter: @autoclosure () -> Waiter,
        into output: inout OutputRawSpan
    ) -> Lookup {
        withShard(of: hash.value) { shard, state in
            switch state.lookup(key, hash: hash.value, form, at: tick(now), into: &output) {
            case .hit(let hit): return .hit(hit)
            case .refreshes(let hit, let key, let call): return .refreshes(hit, Flight(key, of: self, call: call))
            case .nothing: return join(Key(copying: key, hash: hash.value), in: shard, waiter(), &state)
            }
        }
    }

    /// Loads a key although it may be in memory, or joins the load that is under way. Never answers from memory.
    package func refresh(_ key: RawSpan, waiter: Waiter) -> Lookup {
        let key = Key(copying: key)
        return withShard(of: key.hash) { shard, state in join(key, in: shard, waiter, &state) }
    }

    /// Invalidates a key and loads it by a load that begins after this call, for one who knows of a change that the group may
    /// not have heard of. Never answers from memory, nor by a load that is under way.
    package func loadAnew(_ key: RawSpan, waiter: Waiter) -> Lookup {
        let hash = KeyHash(key).value
        return withShard(of: hash) { shard, state in
            _ = state.invalidate(key, hash: hash)
            state.counters.misses += 1
            return join(Key(copying: key, hash: hash), in: shard, waiter, &state)
        }
    }

    private func join(_ key: Key, in shard: Int, _ waiter: Waiter, _ state: inout Shard.State) -> Lookup {
        guard cache.waiting.reserve(1) else { return .refused(tooManyWait) }
        switch state.join(key, waiter) {
        case .follows(let seat)?: return .follows(Ticket(seat: seat, shard: shard))
        case .leads(let seat)?:
            return .leads(Flight(key, of: self, call: seat.call), Ticket(seat: seat, shard: shard))
        case nil:
            cache.waiting.release(1)
            return .refused(tooManyWait)
        }
    }

    private var tooManyWait: LoadError {
        LoadError(.busy, "\(name): too many callers wait for loads; try again later")
    }

    /// Answers from memory or not at all; never loads, and counts as no lookup. O(1), one lock.
    package func peek(_ key: RawSpan, _ form: Form, at now: Instant, into output: inout OutputRawSpan) -> Hit? {
        withServable(key, at: now) { slot, state in state.store.answer(slot, form, into: &output) }
    }

    /// Takes a waiter out of its flight: nobody listens any more. The flight goes on. Nothing happens when it has landed.
    /// O(1).
    package func leave(_ ticket: Ticket) {
        if shards[ticket.shard].state.withLock({ $0.flights.leave(ticket.seat) }) { cache.waiting.release(1) }
    }

    /// The value that stands in for a failed load of `key`: one that is in memory and past its time to live, by no more
    /// than `staleIfError`. Counts as a stale hit. For a caller whose deadline passes before the flight lands.
    package func standIn(for key: RawSpan, at now: Instant) -> Value? {
        let hash = KeyHash(key).value
        return withShard(of: hash) { _, state in state.standIn(key, hash: hash, for: 1, at: tick(now)) }
    }

    /// Marks an entry as asked for just now. Returns whether it is in memory.
    package func touch(_ key: RawSpan, at now: Instant) -> Bool {
        withServable(key, at: now) { slot, state in state.store.ask(slot, at: tick(now)) } != nil
    }

    /// How much longer an entry is served if nobody asks for it: to its time to live or its idle time, whichever is sooner. Up
    /// to 17 ms less than the rules say, since it goes by ticks.
    package func lifetime(of key: RawSpan, at now: Instant) -> Lifetime {
        let lifetime = withServable(key, at: now) { slot, state -> Lifetime in
            guard let end = state.freshness.servedUntil(state.store[slot]) else { return .unlimited }
            return .left(.nanoseconds(nanoseconds(from: now, to: end)))
        }
        return lifetime ?? .absent
    }

    // MARK: Where and when

    /// Runs `body` with the lock of the shard of `hash` held, then does what it left to do.
    @inline(__always)
    func withShard<Result: ~Copyable & Sendable>(
        of hash: UInt64, _ body: (Int, inout Shard.State) -> Result
    ) -> Result {
        let shard = shardNumber(of: hash)
        return withShard(shard) { body(shard, &$0) }
    }

    /// The same for the shard of a number.
    @inline(__always)
    func withShard<Result: ~Copyable & Sendable>(_ number: Int, _ body: (inout Shard.State) -> Result) -> Result {
        // Nil after nearly all lookups.
        var news: Shard.News?
        let result = shards[number].state.withLock { state in
            let result = body(&state)
            if state.leftSomething { news = takeLeft(&state) }
            return result
        }
        if let news { tell(news, of: number) }
        return result
    }

    /// Gives back what went, and takes the events, under the lock under which they were noted: else another thread might be
    /// about to tell of this one's when this returns.
    @inline(never)
    private func takeLeft(_ state: inout Shard.State) -> Shard.News? {
        if state.freed != 0 {
            release(state.freed)
            state.freed = 0
        }
        guard !state.events.isEmpty else { return nil }
        let events = state.events
        state.events = []
        // Also when the last observer has just gone: the next one would be told of it.
        return Shard.News(events: events, isNoted: state.untold.add(events))
    }

    @inline(never)
    private func tell(_ news: Shard.News, of shard: Int) {
        observers.tell(news.events)
        if news.isNoted { shards[shard].state.withLock { $0.untold.remove(news.events) } }
    }

    /// Runs `body` with the slot of a key and the lock of its shard held; nil when there is no entry that may be served.
    func withServable<Result: Sendable>(
        _ key: RawSpan, at now: Instant, _ body: (SlotIndex, inout Shard.State) -> Result
    ) -> Result? {
        let hash = KeyHash(key).value
        return withShard(of: hash) { _, state in
            state.findServable(key, hash: hash, at: tick(now)).map { body($0, &state) }
        }
    }

    @inline(__always)
    func shardNumber(of hash: UInt64) -> Int { Int(truncatingIfNeeded: hash >> 56) & (shards.count - 1) }

    @inline(__always)
    func tick(_ now: Instant) -> Tick { scale.tick(age(at: now)) }

    /// Nanoseconds since the group's start.
    func age(at now: Instant) -> Int64 { now.nanoseconds - start.nanoseconds }

    func instant(_ tick: Tick, from now: Instant) -> Instant {
        now.advanced(byNanoseconds: nanoseconds(from: now, to: tick))
    }

    func nanoseconds(from now: Instant, to tick: Tick) -> Int64 {
        scale.nanoseconds(from: age(at: now), to: tick)
    }
}
