import Groundwork
import Singleflight
import Synchronization

/// Other rules while the group is asked.
extension Group {
    /// Whether ``apply(_:)`` can bring these rules about. Entries are in their eviction's order, and their times in steps that
    /// follow from the longest time in the rules: for another order or other steps it takes another group.
    public func canApply(_ new: GroupSettings) -> Bool {
        settings.eviction == new.eviction && Freshness(new).scale == scale
    }

    /// Takes other rules on. What is in memory stays, but is served no longer than the new rules say for what is loaded now,
    /// and goes where there is less room. The number of shards stays as it is. O(entries), with each lock held for a page of them;
    /// returns when it is done.
    ///
    /// To be called by one at a time, and only with rules that it ``canApply(_:)``.
    public func apply(_ new: GroupSettings) {
        rules.withLock { $0 = new }
        loadTime.store(new.loadTimeout.wholeNanoseconds, ordering: .relaxed)
        standsIn.store(new.staleIfError > .zero, ordering: .relaxed)
        if gate.withLock({ $0.change(limit: new.maxLoads, queueLimit: new.maxQueuedLoads) }) { startQueued() }
        var shard = 0
        budget.setLimit(new.memory) { bytes in
            shard += 1
            return evict(bytes, near: shard & (shards.count - 1))
        }
        let freshness = Freshness(new)
        for shard in 0..<shards.count {
            withShard(shard) { $0.freshness = freshness }
            limitTimes(in: shard)
        }
    }

    private func limitTimes(in shard: Int) {
        var page = 0
        while withShard(shard, { $0.limitTimes(ofPage: page, age: age(at: cache.clock())) }) { page += 1 }
        let now = cache.clock()
        if let due = withShard(shard, { $0.store.earliestExpiry }) { cache.expectSweep(at: instant(due, from: now)) }
    }

    // MARK: The end

    /// Leaves its cache: another group has its place, or none. Everything is dropped and fenced, and nothing is kept from now on;
    /// who asks yet is answered.
    package func retire() {
        cache.remove(self)
        suspendStoring()
    }

    /// Whether no load is under way.
    package var isQuiet: Bool {
        (0..<shards.count).allSatisfy { shard in withShard(shard) { $0.flights.count == 0 } }
    }
}

extension Shard.State {
    /// Has the entries of one page of slots live no longer than what is loaded now. Returns whether there is such a page.
    mutating func limitTimes(ofPage page: Int, age: Int64) -> Bool {
        store.noteAsks(exactly: freshness.endsWhenIdle, scale: freshness.scale)
        return store.limitTimes(ofPage: page, freshness, age: age)
    }
}
