public import Groundwork
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
    private let registry = Groundwork.Mutex<[Member]>([])
    /// When the next sweep is due, in nanoseconds; `.max`: never.
    private let nextSweep = Atomic<Int64>(.max)
    private let sweepRequest = Groundwork.Mutex<(@Sendable (Instant) -> Void)?>(nil)
    private let turn = Atomic<Int>(0)
    private let seed: Atomic<UInt64>

    /// A cache whose entries take at most `memory` bytes, keys, values and overhead together, and in which at most
    /// `waiters` callers wait for loads at once. `clock` tells the time; tests move it. From `seed` come the numbers that
    /// spread expiry.
    public init(
        memory: Int = .max, waiters: Int = 1 << 20, seed: UInt64 = .random(in: .min ... .max),
        clock: @escaping @Sendable () -> Instant = { Instant.now() }
    ) {
        self.seed = Atomic(seed)
        budget = Budget(limit: memory)
        waiting = Budget(limit: waiters)
        self.clock = clock
    }

    /// The groups, in the order of their making.
    public var groups: [Group] { registry.withLock { $0.compactMap(\.group) } }

    /// The bound on bytes.
    public var memory: Int { budget.limit }

    /// The bytes that entries take, overhead included. Never above ``memory``.
    public var usedBytes: Int { budget.used }

    /// The bytes that the pages of all caches of the process take: entries, their index, and room that is kept for more.
    public static var pageBytes: Int {
        PagePool.tables.bytes + PagePool.records.bytes + PagePool.longRecords.bytes + BlockPool.shared.bytes
    }

    /// How many callers wait for loads.
    public var waiterCount: Int { waiting.used }

    /// Drops every entry of every group and fences every flight.
    public func invalidateAll() {
        for group in groups { group.invalidateAll() }
    }

    /// A seed for one shard.
    func nextSeed() -> UInt64 {
        var generator = SplitMix64(seed: seed.wrappingAdd(1, ordering: .relaxed).newValue)
        return generator.next()
    }

    func add(_ group: Group) throws(DuplicateGroupError) {
        let isNew = registry.withLock { groups in
            groups.removeAll { $0.group == nil }
            guard !groups.contains(where: { $0.name == group.name }) else { return false }
            groups.append(Member(group))
            return true
        }
        guard isNew else { throw DuplicateGroupError(name: group.name) }
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

    /// Evicts from that group whose next victim was not asked for the longest, among up to eight that take turns at being
    /// looked at. Returns what was freed.
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
    public func onSweepRequest(_ request: @escaping @Sendable (Instant) -> Void) {
        sweepRequest.withLock { $0 = request }
        let due = nextSweep.load(ordering: .acquiring)
        if due != .max { request(Instant(nanoseconds: due)) }
    }

    /// Removes everything that has expired by now: for a program that does so now and then, without a timer.
    public func sweep() {
        sweep(at: clock())
    }

    /// Removes what has expired. Returns when to sweep next: `now` if there is more to do, nil: when asked.
    ///
    /// Looks only at pages (of 128 entries) of which one entry at least is due, at most at so many; holds a shard's lock
    /// for one page at a time.
    @discardableResult
    public func sweep(at now: Instant, pages: Int = .max) -> Instant? {
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
