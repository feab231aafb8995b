import Groundwork
import Singleflight

extension Shard.State {
    /// What is to be done when a flight has landed.
    struct Landed {
        /// They are told.
        var waiters: Waiters<Waiter>
        /// By so many bytes the store grew.
        var grown = 0
        /// When the sweep is to look at the new entry; nil: never.
        var swept: Tick?
    }

    /// Whether what a flight brings is kept.
    func keeps(_ call: FlightCall) -> Bool { storing.isOn && !flights.isForgotten(call) }

    /// Whether a flight is worth its load at `now`.
    func isWanted(_ call: FlightCall, at now: Instant) -> Bool {
        flights.isUnprompted(call) && !flights.isForgotten(call)
            || flights.hasWaiter(call) { now < $0.deadline }
    }

    /// Lands a flight that brought a value, `cost` nanoseconds after the getter got it, if it ever did; the room for it was reserved unless `kept` is nil.
    ///
    /// Landing and storing are one step: an invalidation comes either before, and then the flight was fenced, or after, and
    /// then it finds the entry.
    mutating func land(_ call: FlightCall, of key: Key, _ value: Value, kept: Value?, cost: Int64?, age: Int64)
        -> Landed
    {
        let keeps = keeps(call)
        let landing = flights.land(call, of: key)
        counters.localLoads += 1
        if let cost { loadTimes.record(cost) }
        if landing.waiters.count > 1 { counters.sharedLoads += 1 }
        var landed = Landed(waiters: landing.waiters)
        guard !landing.isForgotten else {
            counters.fenced += 1
            note(.unkept, key)
            return landed
        }
        if !keeps || value.isTransient { counters.transient += 1 }
        guard keeps, let kept, let stored = store(kept, of: key, cost: cost ?? 0, age: age) else {
            // What is in memory is older than what goes out now, and must not be served after it.
            drop(key.bytes.span.bytes, hash: key.hash)
            note(.unkept, key)
            return landed
        }
        landed.grown = stored.grown
        landed.swept = stored.swept
        return landed
    }

    /// Lands a flight that brought an error. Returns also what stands in for its value, if the group's rules allow.
    mutating func landFailed(
        _ call: FlightCall, of key: Key, cost: Int64?, at now: Tick
    ) -> (Waiters<Waiter>, standIn: Value?) {
        let landing = flights.land(call, of: key)
        if landing.waiters.count > 1 { counters.sharedLoads += 1 }
        counters.loadErrors += 1
        if let cost { loadTimes.record(cost) }
        // After an invalidation the last value is no answer, not even for want of a better one.
        guard !landing.isForgotten else { return (landing.waiters, nil) }
        let bytes = key.bytes.span.bytes
        endRefresh(bytes, hash: key.hash, at: now)
        return (landing.waiters, standIn(bytes, hash: key.hash, for: landing.waiters.count, at: now))
    }

    /// After a reload that a hit had started: lets a hit start one again, after a pause.
    private mutating func endRefresh(_ key: RawSpan, hash: UInt64, at now: Tick) {
        let slot = store.locate(key, hash: hash)
        guard slot != .none, store[slot].flags.remove(.refreshing) != nil, let record = Record(store[slot]),
            let marks = record.marks
        else { return }
        record.setMarks(freshness.postponed(marks, at: now))
    }

    /// Puts a value in that no flight brought, unless one is there that may be served; a flight of its key is fenced. Nil
    /// when it was not put in.
    mutating func insertIfAbsent(_ value: Value, of key: Key, age: Int64) -> (grown: Int, swept: Tick?)? {
        let now = freshness.scale.tick(age)
        guard storing.isOn, findServable(key.bytes.span.bytes, hash: key.hash, at: now) == nil,
            let stored = store(value, of: key, cost: 0, age: age)
        else { return nil }
        flights.forget(key)
        return stored
    }

    /// Puts an entry into the store, in place of the one that is there. Nil when the system has no memory.
    private mutating func store(
        _ value: Value, of key: Key, cost: Int64, age: Int64
    ) -> (grown: Int, swept: Tick?)? {
        let now = freshness.scale.tick(age)
        let times = freshness.times(of: value, at: age, cost: cost, chance: random.chance())
        let bytes = key.bytes.span.bytes
        let present = store.locate(bytes, hash: key.hash)
        let isReplaced = present != .none && isObserved && Record(store[present])?.holds(value) != true
        let grown =
            present == .none
            ? store.insert(bytes, hash: key.hash, value: value, times: times, at: now)
            : store.replace(present, bytes, value: value, times: times, at: now)
        guard let grown else { return nil }
        if isReplaced { note(.replaced, key) }
        note(.loaded, key)
        return (grown, times.swept)
    }
}
