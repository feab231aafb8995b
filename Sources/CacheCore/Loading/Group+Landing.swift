import Groundwork
import Singleflight
import Synchronization

extension Group {
    /// Whether a flight is worth its load at `now`.
    func isWanted(_ call: FlightCall, of key: Key, at now: Instant) -> Bool {
        withState(of: key.hash) { state in
            state.flights.isUnprompted(call) && !state.flights.isForgotten(call)
                || state.flights.hasWaiter(call) { now < $0.deadline }
        }
    }

    /// Ends a flight: stores what it brought, unless the key was invalidated meanwhile, then tells those who wait. `started`
    /// is when the getter got it; nil: never.
    func land(_ call: FlightCall, of key: Key, started: Instant?, _ outcome: Outcome) {
        let now = cache.clock()
        let hash = key.hash
        let waiters: Waiters<Waiter>
        var answer = outcome
        switch outcome {
        case .success(let value):
            waiters = land(
                call, of: key, hash, value, cost: started.map { now.nanoseconds - $0.nanoseconds } ?? 0, at: now)
        case .failure:
            let standIn: Value?
            (waiters, standIn) = landFailed(call, of: key, hash, at: now)
            if let standIn { answer = .success(standIn) }
        }
        cache.waiting.release(waiters.count)
        tellObservers(of: shardNumber(of: hash))
        waiters.forEach { $0.sink.deliver(answer, token: $0.token) }
        if let started { endLoad(outcome, startedAt: started, at: now) }
        onLoad?(outcome)
    }

    private func land(
        _ call: FlightCall, of key: Key, _ hash: UInt64, _ value: Value, cost: Int64, at now: Instant
    ) -> Waiters<Waiter> {
        // What is not kept shall not evict others. It is asked again below: no lock is held while room is made.
        let mayKeep = !value.isTransient && withState(of: hash) { $0.keeps(call) }
        let reserved = mayKeep ? reserve(for: value, of: key, near: hash) : 0
        let kept = reserved > 0 ? value.blocked() : nil
        let (landing, grown, swept) = withState(of: hash) { state in
            let keeps = state.keeps(call)
            let landing = state.flights.land(call, of: key)
            state.counters.localLoads += 1
            if landing.waiters.count > 1 { state.counters.sharedLoads += 1 }
            if landing.isForgotten {
                state.counters.fenced += 1
            } else if value.isTransient || !keeps {
                state.counters.transient += 1
            }
            let times = freshness.times(
                of: value, at: age(at: now), cost: cost, chance: state.random.chance())
            // Landing and storing are one step: an invalidation comes either before, and then the flight was fenced, or
            // after, and then it finds the entry.
            guard !landing.isForgotten else {
                note(.unkept, key, in: &state)
                return (landing, 0, nil as Tick?)
            }
            guard keeps, let kept, let grown = store(kept, of: key, hash, times, at: tick(now), in: &state) else {
                // What is in memory is older than what goes out now, and must not be served after it.
                key.bytes.withUnsafeBytes { _ = drop($0, hash: hash, in: &state) }
                note(.unkept, key, in: &state)
                return (landing, 0, nil)
            }
            return (landing, grown, times.swept)
        }
        release(reserved - grown)
        if let swept { cache.expectSweep(at: instant(swept, from: now)) }
        return landing.waiters
    }

    /// Lands a flight that brought an error. Returns also what stands in for its value, if the group's rules allow.
    private func landFailed(
        _ call: FlightCall, of key: Key, _ hash: UInt64, at now: Instant
    ) -> (Waiters<Waiter>, standIn: Value?) {
        withState(of: hash) { state in
            let landing = state.flights.land(call, of: key)
            if landing.waiters.count > 1 { state.counters.sharedLoads += 1 }
            state.counters.loadErrors += 1
            // After an invalidation the last value is no answer, not even for want of a better one.
            guard !landing.isForgotten else { return (landing.waiters, nil) }
            let now = tick(now)
            return key.bytes.withUnsafeBytes { bytes in
                endRefresh(bytes, hash: hash, at: now, in: &state)
                return (landing.waiters, standIn(bytes, hash: hash, for: landing.waiters.count, at: now, in: &state))
            }
        }
    }

    /// After a reload that a hit had started: lets a hit start one again, after a pause.
    private func endRefresh(_ key: UnsafeRawBufferPointer, hash: UInt64, at now: Tick, in state: inout Shard.State) {
        guard let slot = state.store.find(key, hash: hash), slot.pointee.flags.remove(.refreshing) != nil,
            let record = Record(slot.pointee), let marks = record.marks
        else { return }
        record.setMarks(freshness.postponed(marks, at: now))
    }

    /// Puts an entry into a store, in place of the one that is there. Returns by how many bytes the store grew; nil when the
    /// system has no memory.
    private func store(
        _ value: Value, of key: Key, _ hash: UInt64, _ times: Times, at now: Tick, in state: inout Shard.State
    ) -> Int? {
        let present = key.bytes.withUnsafeBytes { state.store.locate($0, hash: hash) }
        let bytes = key.bytes.span.bytes
        let isReplaced =
            present != .none && isObserved.load(ordering: .relaxed)
            && Record(state.store.slots[Int(present)].pointee)?.holds(value) != true
        let grown =
            present == .none
            ? state.store.insert(bytes, hash: hash, value: value, times: times, at: now)
            : state.store.replace(present, bytes, value: value, times: times, at: now)
        if grown != nil {
            if isReplaced { note(.replaced, key, in: &state) }
            note(.loaded, key, in: &state)
        }
        return grown
    }

    /// Puts a value in as if it had been loaded, unless there is one that may be served (cache2go's NotFoundAdd). A load of
    /// the key that is under way is fenced: what it brings may be older. While storing is suspended nothing is put in.
    /// Returns whether the value was.
    @discardableResult
    public func insertIfAbsent(_ key: Key, _ value: Value) -> Bool {
        let now = cache.clock()
        guard !value.isTransient, isStoring else { return false }
        let reserved = reserve(for: value, of: key, near: key.hash)
        guard let kept = reserved > 0 ? value.blocked() : nil else {
            release(reserved)
            return false
        }
        let (grown, swept) = withShard(of: key.bytes.span.bytes, KeyHash(key)) { bytes, hash, _, state in
            guard state.storing.isOn, servable(bytes, hash: hash, at: tick(now), in: &state) == nil else {
                return (nil as Int?, nil as Tick?)
            }
            let times = freshness.times(of: value, at: age(at: now), cost: 0, chance: state.random.chance())
            let grown = store(kept, of: key, hash, times, at: tick(now), in: &state)
            if grown != nil { state.flights.forget(key) }
            return (grown, times.swept)
        }
        release(reserved - (grown ?? 0))
        if let swept { cache.expectSweep(at: instant(swept, from: now)) }
        return grown != nil
    }

    // MARK: Room

    /// Takes the room that an entry needs, evicting until there is. Returns 0 when the value is not to be stored.
    private func reserve(for value: Value, of key: Key, near hash: UInt64) -> Int {
        guard freshness.keeps(value) else { return 0 }
        let cost =
            Record.cost(keyLength: key.bytes.count, value: value, marks: freshness.hasMarks) + EntryStore.slotCost
        guard key.bytes.count <= Record.keyLimit, reserve(cost, near: hash) else {
            withState(of: hash) { $0.counters.tooLarge += 1 }
            return 0
        }
        return cost
    }

    /// Takes `bytes` from the group's share and from the whole, evicting until they fit. False when they can't.
    private func reserve(_ bytes: Int, near hash: UInt64) -> Bool {
        guard bytes <= budget.limit, bytes <= cache.budget.limit else { return false }
        let place = shardNumber(of: hash)
        while true {
            if budget.reserve(bytes) {
                if cache.budget.reserve(bytes) { return true }
                budget.release(bytes)
                guard cache.evictColdest(cache.budget.shortage(for: bytes), near: place) > 0 else { return false }
            } else {
                guard evict(budget.shortage(for: bytes), near: place) > 0 else { return false }
            }
        }
    }

    /// Evicts by the policy's choice from the shard at `place`, or when it is empty from the next that is not, until at
    /// least `bytes` are free there or nothing is left in it. Returns what was freed.
    func evict(_ bytes: Int, near place: Int) -> Int {
        for offset in 0..<shards.count {
            let shard = (place + offset) & (shards.count - 1)
            let freed = shards.withLock(shard) { state in
                var freed = 0
                while freed < bytes, let victim = state.store.victim() {
                    state.counters.evictions += 1
                    note(.evicted, at: victim, in: &state)
                    freed += state.store.remove(victim, evicted: true)
                }
                return freed + state.store.trim()
            }
            tellObservers(of: shard)
            if freed > 0 {
                release(freed)
                return freed
            }
        }
        return 0
    }

    /// Gives bytes back to the group's share and to the whole.
    func release(_ bytes: Int) {
        budget.release(bytes)
        cache.budget.release(bytes)
    }
}
