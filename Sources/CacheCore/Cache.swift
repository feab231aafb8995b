package import Groundwork
import Synchronization

/// The groups that share one bound of memory.
///
/// A group keeps its cache alive, and not the other way round: a group that nobody holds any more is gone, and so are its
/// entries.
public final class Cache: Sendable {
    let budget: Budget
    /// Of those who wait for loads.
    let waiting: Budget
    let clock: @Sendable () -> Instant
    /// Where loads of its groups are noted that took long; nil: nowhere.
    let slowLoads: SlowLoads?
    private let registry = Groundwork.Mutex<[Member]>([])
    /// When the next sweep is due, in nanoseconds; `.max`: never.
    private let nextSweep = Atomic<Int64>(.max)
    private let sweepRequest = Groundwork.Mutex<(@Sendable (Instant) -> Void)?>(nil)
    /// Nil: nobody sweeps unless asked to.
    private let alarm: Alarm?
    private let turn = Atomic<Int>(0)
    private let seed: Atomic<UInt64>

    /// What entries may take by default: 256 MiB.
    public static let defaultMemory = 256 << 20

    /// A cache whose entries take at most `memory` bytes, keys, values and overhead together, and in which at most
    /// `waiters` callers wait for loads at once.
    ///
    /// Entries that expired leave memory by themselves: a task of the cache's own sleeps until the next one is due, and ends
    /// with the cache. `clock` tells the time, for tests; nil: the system's monotonic clock, which is read fastest.
    public convenience init(
        memory: Int = Cache.defaultMemory, waiters: Int = 1 << 20, clock: (any Clock<Duration>)? = nil
    ) {
        let time = TimeSource(clock)
        self.init(memory: memory, waiters: waiters, alarm: Alarm(time)) { Instant(nanoseconds: time.now()) }
    }

    /// A cache of which expired entries leave when ``sweep(at:pages:)`` is called, for a caller with timers and a clock. The
    /// numbers that spread expiry come from `seed`. Loads
    /// that take long are noted in `slowLoads`.
    package convenience init(
        memory: Int = Cache.defaultMemory, waiters: Int = 1 << 20, seed: UInt64 = .random(in: .min ... .max),
        slowLoads: SlowLoads? = nil, clock: @escaping @Sendable () -> Instant
    ) {
        self.init(memory: memory, waiters: waiters, seed: seed, slowLoads: slowLoads, alarm: nil, clock: clock)
    }

    private init(
        memory: Int, waiters: Int, seed: UInt64 = .random(in: .min ... .max), slowLoads: SlowLoads? = nil,
        alarm: Alarm?, clock: @escaping @Sendable () -> Instant
    ) {
        self.seed = Atomic(seed)
        self.slowLoads = slowLoads
        budget = Budget(limit: memory)
        waiting = Budget(limit: waiters)
        self.alarm = alarm
        self.clock = clock
    }

    /// The groups, in the order in which they were made.
    public var groups: [Group] { registry.withLock { $0.compactMap(\.group) } }

    /// The bound on bytes.
    public var memory: Int { budget.limit }

    /// The bytes that entries take, overhead included. Never above ``memory``, but while that is being lowered.
    public var usedBytes: Int { budget.used }

    /// The bytes that the pages of all caches of the process take: entries, their index, and room that is kept for more.
    package static var pageBytes: Int {
        PagePool.tables.bytes + PagePool.records.bytes + PagePool.longRecords.bytes + BlockPool.shared.bytes
    }

    /// How many callers wait for loads.
    package var waiterCount: Int { waiting.used }

    /// Drops every entry of every group and fences every flight.
    public func invalidateAll() {
        for group in groups { group.invalidateAll() }
    }

    /// A seed for one shard.
    func nextSeed() -> UInt64 {
        var generator = SplitMix64(seed: seed.wrappingAdd(1, ordering: .relaxed).newValue)
        return generator.next()
    }

    /// Moves the bound on bytes, up or down. Returns when what entries take fits; others are served meanwhile.
    public func setMemory(_ bytes: Int) {
        budget.setLimit(bytes) { evictColdest($0, near: 0) }
    }

    /// Takes a group in; one that it is to replace may have its name.
    func add(_ group: Group, replacing old: Group?) throws(DuplicateGroupError) {
        let isNew = registry.withLock { groups in
            groups.removeAll { $0.group == nil }
            guard !groups.contains(where: { $0.name == group.name && $0.group !== old }) else { return false }
            groups.append(Member(group))
            return true
        }
        guard isNew else { throw DuplicateGroupError(name: group.name) }
    }

    /// Takes a group out: it is not among ``groups`` any more, and another one may have its name.
    func remove(_ group: Group) {
        registry.withLock { groups in groups.removeAll { $0.group === group } }
    }

    private struct Member {
        weak let group: Group?
        let name: String

        init(_ group: Group) {
            self.group = group
            name = group.name
        }
    }

    // MARK: Eviction over groups

    /// Evicts from the group whose next victim has gone longest without being asked for, among up to eight that take turns at
    /// being looked at. Returns what was freed.
    func evictColdest(_ bytes: Int, near shard: Int) -> Int {
        let first = turn.wrappingAdd(1, ordering: .relaxed).oldValue & .max
        let candidates = registry.withLock { groups in
            (0..<min(groups.count, 8)).compactMap { groups[((first &+ $0) & .max) % groups.count].group }
        }
        let now = clock()
        let byAge = candidates.map { group in
            (group, group.coldest(near: shard).map { -group.nanoseconds(from: now, to: $0) } ?? .min)
        }
        for (group, _) in byAge.sorted(by: { $0.1 > $1.1 }) {
            let freed = group.evict(bytes, near: shard)
            if freed > 0 { return freed }
        }
        return groups.reduce(0) { freed, group in freed > 0 ? freed : group.evict(bytes, near: shard) }
    }

    // MARK: Expiry

    /// Asks for ``sweep(at:pages:)`` to be called at the time that `request` is told: whenever an entry comes in that expires
    /// before all the others. `request` is called on any thread and must not block.
    package func onSweepRequest(_ request: @escaping @Sendable (Instant) -> Void) {
        sweepRequest.withLock { $0 = request }
        let due = nextSweep.load(ordering: .acquiring)
        if due != .max { request(Instant(nanoseconds: due)) }
    }

    /// Removes everything that has expired by now, without waiting for the cache's own task to do so.
    public func sweep() {
        sweep(at: clock())
    }

    /// Removes what has expired. Returns when to sweep next: `now` if there is more to do, nil: when asked.
    ///
    /// Looks only at pages (of 128 entries) of which at least one entry is due, and at no more than `pages`; holds a shard's
    /// lock for one page at a time.
    @discardableResult
    package func sweep(at now: Instant, pages: Int = .max) -> Instant? {
        nextSweep.store(.max, ordering: .releasing)
        var pages = pages
        for group in groups {
            if let due = group.sweep(at: now, pages: &pages) { lower(to: due) }
        }
        let due = nextSweep.load(ordering: .acquiring)
        return due == .max ? nil : Instant(nanoseconds: due)
    }

    /// Notes that an entry expires, or is to be looked at, at `time`.
    func expectSweep(at time: Instant) {
        guard lower(to: time) else { return }
        sweepRequest.withLock { $0 }?(time)
        alarm?.expect(time.nanoseconds) { [weak self] in self?.sweepWhenDue() }
    }

    /// Sweeps in time, and sees that it goes on.
    private func sweepWhenDue() {
        // What else is due by then waits for the next time: so entries that expire one after the other don't have every
        // page looked through for each.
        let pause = Duration.milliseconds(100)
        let now = clock()
        guard let next = sweep(at: now) else { return }
        alarm?.expect(max(next, now + pause).nanoseconds) { [weak self] in self?.sweepWhenDue() }
    }

    /// Returns whether the next sweep got earlier.
    @discardableResult
    private func lower(to time: Instant) -> Bool {
        var current = nextSweep.load(ordering: .acquiring)
        while time.nanoseconds < current {
            let (exchanged, original) = nextSweep.weakCompareExchange(
                expected: current, desired: time.nanoseconds, ordering: .acquiringAndReleasing)
            if exchanged { return true }
            current = original
        }
        return false
    }
}

/// Two groups of one cache cannot have the same name.
public struct DuplicateGroupError: Error, CustomStringConvertible, Sendable {
    /// The name that is taken.
    public let name: String

    /// Says which.
    public var description: String { "there is a group '\(name)' already" }
}
