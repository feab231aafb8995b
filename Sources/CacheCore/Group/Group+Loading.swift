package import Groundwork
import Singleflight

extension Group {
    /// Starts a flight that a lookup gave out: at once, or when its turn has come; beyond the bounds of the group, or while
    /// the circuit is open, it fails at once.
    public func load(_ flight: consuming Flight) {
        load(flight, at: cache.clock())
    }

    /// The same, for a caller that knows the time.
    package func load(_ flight: consuming Flight, at now: Instant) {
        noteLoad(of: flight.key)
        flight.times.asked = now
        // The lock's closure may not consume what it captures; an optional can be emptied.
        var entering: Flight? = consume flight
        let passage = gate.withLock { $0.enter(&entering) }
        guard let flight = entering.take() else { return }
        switch passage {
        case .starts: start(flight, at: now)
        case .waits, .fails:
            flight.fail(LoadError(.busy, "\(name): too many loads are under way or waiting; try again later"))
        }
    }

    private func start(_ flight: consuming Flight, at now: Instant) {
        flight.times.started = now
        guard breaker?.admits(at: now) ?? true else {
            flight.times.started = nil
            let error = LoadError(.unavailable, "\(name): the database does not answer; it is being probed")
            flight.fail(error)
            if gate.withLock({ $0.leave() }) { startQueued() }
            return
        }
        getter.load(flight)
    }

    /// Starts the loads whose turn has come, for the one whom the gate told to do so.
    func startQueued() {
        while let flight = gate.withLock({ $0.next() }) {
            let now = cache.clock()
            if flight.isWanted(at: now) {
                start(flight, at: now)
            } else {
                flight.fail(LoadError(.abandoned, "\(name): nobody waited for the load any more"))
                gate.withLock { $0.skip() }
            }
        }
    }

    // MARK: Landing

    /// Whether a flight is worth its load at `now`.
    func isWanted(_ call: FlightCall, of key: Key, at now: Instant) -> Bool {
        withShard(of: key.hash) { _, state in state.isWanted(call, at: now) }
    }

    /// Ends a flight: stores what it brought, unless the key was invalidated meanwhile, then tells those who wait.
    func land(_ call: FlightCall, of key: Key, _ times: FlightTimes, _ outcome: Outcome) {
        let now = cache.clock()
        var standIn: Value?
        let waiters = land(call, of: key, times, outcome, &standIn, at: now)
        // First the gate: whoever asks again as soon as he is told finds the room that this load leaves.
        let isNext = times.started != nil && gate.withLock { $0.leave() }
        tell(waiters, of: key, times, outcome, standIn, at: now)
        if isNext { startQueued() }
    }

    /// The same for a load that has left the gate.
    func landOutsideGate(
        _ call: FlightCall, of key: Key, _ times: FlightTimes, _ outcome: Outcome, at now: Instant
    ) {
        var standIn: Value?
        let waiters = land(call, of: key, times, outcome, &standIn, at: now)
        tell(waiters, of: key, times, outcome, standIn, at: now)
    }

    /// Returns those who wait, and what they get in place of an error.
    private func land(
        _ call: FlightCall, of key: Key, _ times: FlightTimes, _ outcome: Outcome, _ standIn: inout Value?,
        at now: Instant
    ) -> Waiters<Waiter> {
        let cost = times.started.map { now.nanoseconds - $0.nanoseconds }
        let waiters: Waiters<Waiter>
        switch outcome {
        case .success(let value):
            waiters = land(call, of: key, value, cost: cost, at: now)
        case .failure:
            (waiters, standIn) = withShard(of: key.hash) { _, state in
                state.landFailed(call, of: key, cost: cost, at: tick(now))
            }
        }
        cache.waiting.release(waiters.count)
        if let started = times.started { breaker?.record(outcome, startedAt: started, at: now) }
        return waiters
    }

    private func tell(
        _ waiters: Waiters<Waiter>, of key: Key, _ times: FlightTimes, _ outcome: Outcome, _ standIn: Value?,
        at now: Instant
    ) {
        if let standIn {
            waiters.forEach { $0.sink.deliver(.success(standIn), token: $0.token) }
        } else {
            waiters.forEach { $0.sink.deliver(outcome, token: $0.token) }
        }
        cache.slowLoads?.note(key, of: name, times, outcome, at: now)
        onLoad?(outcome)
    }

    private func land(
        _ call: FlightCall, of key: Key, _ value: Value, cost: Int64?, at now: Instant
    ) -> Waiters<Waiter> {
        // What is not kept must not evict others. The landing asks again: no lock is held while room is made.
        let freshness =
            value.isTransient ? nil : withShard(of: key.hash) { _, state in state.keeps(call) ? state.freshness : nil }
        let reserved = freshness.map { reserve(for: value, of: key, $0) } ?? 0
        let kept = reserved > 0 ? value.blocked() : nil
        let age = age(at: now)
        let landed = withShard(of: key.hash) { _, state in
            state.land(call, of: key, value, kept: kept, cost: cost, age: age)
        }
        release(reserved - landed.grown)
        if let swept = landed.swept { cache.expectSweep(at: instant(swept, from: now)) }
        return landed.waiters
    }

    /// Puts a value in as if it had been loaded, unless there is one that may be served (cache2go's NotFoundAdd). A load of
    /// the key that is under way is fenced: what it brings may be older. While storing is suspended nothing is put in.
    /// Returns whether the value was.
    @discardableResult
    public func insertIfAbsent(_ key: Key, _ value: Value) -> Bool {
        let now = cache.clock()
        guard !value.isTransient, isStoring else { return false }
        let freshness = withShard(of: key.hash) { _, state in state.freshness }
        let reserved = reserve(for: value, of: key, freshness)
        guard let kept = reserved > 0 ? value.blocked() : nil else {
            release(reserved)
            return false
        }
        let age = age(at: now)
        let stored = withShard(of: key.hash) { _, state in state.insertIfAbsent(kept, of: key, age: age) }
        release(reserved - (stored?.grown ?? 0))
        if let swept = stored?.swept { cache.expectSweep(at: instant(swept, from: now)) }
        return stored != nil
    }
}
