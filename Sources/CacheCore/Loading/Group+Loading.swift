import Groundwork

extension Group {
    /// Starts a flight that a lookup gave out: at once, or when its turn has come; beyond the bounds of the group, or while
    /// the circuit is open, it fails at once.
    public func load(_ flight: consuming Flight) {
        // The lock's closure may not consume what it captures; an optional can be emptied.
        var entering: Flight? = consume flight
        let passage = gate.withLock { $0.enter(&entering) }
        guard let flight = entering.take() else { return }
        switch passage {
        case .starts: start(flight)
        case .waits, .fails:
            flight.fail(LoadError(.busy, "\(name): too many loads are under way or waiting; try again later"))
        }
    }

    private func start(_ flight: consuming Flight) {
        let now = cache.clock()
        flight.started = now
        guard breaker?.admits(at: now) ?? true else {
            flight.started = nil
            let error = LoadError(.unavailable, "\(name): the database does not answer; it is being probed")
            flight.fail(error)
            leaveGate()
            return
        }
        getter.load(flight)
    }

    /// Notes that a load that had started ended, and starts those whose turn has come.
    func endLoad(_ outcome: Outcome, startedAt started: Instant, at now: Instant) {
        breaker?.record(outcome, startedAt: started, at: now)
        leaveGate()
    }

    private func leaveGate() {
        guard gate.withLock({ $0.leave() }) else { return }
        while let flight = gate.withLock({ $0.next() }) {
            if flight.isWanted(at: cache.clock()) {
                start(flight)
            } else {
                flight.fail(LoadError(.abandoned, "\(name): nobody waited for the load any more"))
                gate.withLock { $0.skip() }
            }
        }
    }
}
