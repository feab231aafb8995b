import CacheCore
import Groundwork
import Logging
import Singleflight

extension LoadingCache {
    /// Asks memory with all its rules, and else waits for a load.
    @usableFromInline
    nonisolated(nonsending)
        func lookUp(_ key: HashedKey<Key>, _ getter: Getter?) async throws -> Value?
    {
        if let value = recall(key, getter) { return value }
        return try await wait(for: key, getter, asksMemory: true)
    }

    private func recall(_ key: HashedKey<Key>, _ getter: Getter?) -> Value?? {
        let context = context(getter)
        var changes = Changes<Key, Value>()
        let recalled = withState(of: key) { $0.recall(key, context, &changes) }
        tell(changes)
        switch recalled {
        case .value(let value)?: return .some(value)
        case .refreshes(let value, let load)?:
            start(load)
            return .some(value)
        case nil: return nil
        }
    }

    private func context(_ getter: Getter?) -> LoadContext<Key, Value> {
        LoadContext(
            rules: rules, now: time.now(), timeout: timeout, getter: getter ?? self.getter.withLock(\.self))
    }

    // MARK: Waiting

    /// Waits for the flight of `key`, which is started unless one is under way. It takes a continuation, and no task.
    nonisolated(nonsending)
        func wait(for key: HashedKey<Key>, _ getter: Getter?, asksMemory: Bool) async throws -> Value?
    {
        let caller = Caller<Value>()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                join(key, caller, continuation, context(getter), asksMemory: asksMemory)
            }
        } onCancel: {
            leave(key, caller)
        }
    }

    /// How joining a flight goes on when the lock is behind it.
    private enum Joined {
        case recalled(ShardState<Key, Value>.Recalled)
        case cancelled
        case follows
        case leads(Load<Key, Value>)
    }

    private func join(
        _ key: HashedKey<Key>, _ caller: Caller<Value>, _ continuation: CheckedContinuation<Value?, any Error>,
        _ context: LoadContext<Key, Value>, asksMemory: Bool
    ) {
        var changes = Changes<Key, Value>()
        let joined: Joined = withState(of: key) { state in
            // Since this caller looked, a flight may have landed. Memory and flights are asked in one step, so that nobody loads
            // what has just come.
            if asksMemory, let recalled = state.recall(key, context, &changes) { return .recalled(recalled) }
            if asksMemory {
                state.counters.gets += 1
                state.counters.misses += 1
            }
            // A task is marked cancelled before its cancellation handler runs. So if the handler had the lock before us the mark
            // is seen here, and if it comes after us it finds the seat.
            if Task.isCancelled { return .cancelled }
            caller.continuation = continuation
            guard let load = state.begin(key, for: caller, context) else { return .follows }
            return .leads(load)
        }
        tell(changes)
        switch joined {
        case .recalled(.value(let value)): continuation.resume(returning: value)
        case .recalled(.refreshes(let value, let load)):
            continuation.resume(returning: value)
            start(load)
        case .cancelled: continuation.resume(throwing: CancellationError())
        case .follows: break
        case .leads(let load): start(load)
        }
    }

    private func leave(_ key: HashedKey<Key>, _ caller: Caller<Value>) {
        let continuation: CheckedContinuation<Value?, any Error>? = withState(of: key) { state in
            guard let seat = caller.seat, state.flights.leave(seat) else { return nil }
            return caller.continuation
        }
        continuation?.resume(throwing: CancellationError())
    }

    // MARK: Running

    /// Starts a load at once, or when its turn has come; if too many wait, it fails at once.
    private func start(_ load: Load<Key, Value>) {
        expectUpkeep(at: load.deadline)
        var entering: Load<Key, Value>? = load
        switch gate.withLock({ $0.enter(&entering) }) {
        case .starts: run(load)
        case .waits: break
        case .fails:
            let error = LoadError(.busy, "\(name): too many loads are under way or waiting; try again later")
            land(load, .failure(error), loadTime: 0)
        }
    }

    private func run(_ load: Load<Key, Value>) {
        let started = time.now()
        guard settings.breaker?.admits(at: Instant(nanoseconds: started)) ?? true else {
            let error = LoadError(.unavailable, "\(name): the source does not answer; it is being probed")
            land(load, .failure(error), loadTime: 0)
            if gate.withLock({ $0.leave() }) { startQueued() }
            return
        }
        // Detached: it inherits no cancellation and no task-local values from the caller that happens to lead. It doesn't keep
        // the cache, as those do who wait for it.
        let task = Task.detached(priority: Task.currentPriority) { [weak self] in
            let outcome: Result<Value?, any Error>
            do {
                outcome = .success(try await load.getter(load.key.key))
            } catch is CancellationError {
                // Callers are told of their own cancellation by this error. They must not take the load's for theirs.
                outcome = .failure(LoadError(.abandoned, "the load was cancelled"))
            } catch {
                outcome = .failure(error)
            }
            self?.end(load, outcome, startedAt: started)
        }
        let isLanded = withState(of: load.key) { _ in
            load.task = task
            return load.isLanded
        }
        if isLanded { task.cancel() }
    }

    private func end(_ load: Load<Key, Value>, _ outcome: Result<Value?, any Error>, startedAt started: Int64) {
        let now = time.now()
        settings.breaker?.record(
            verdict(on: outcome), startedAt: Instant(nanoseconds: started), at: Instant(nanoseconds: now))
        // First the gate: whoever asks again as soon as he is told finds the room that this load leaves.
        let isNext = gate.withLock { $0.leave() }
        land(load, outcome, loadTime: now - started)
        if isNext { startQueued() }
    }

    /// What a load tells of the source.
    private func verdict(on outcome: Result<Value?, any Error>) -> Outcome {
        switch outcome {
        case .success: .success(.missing)
        case .failure(let error as LoadError): .failure(error)
        case .failure: .failure(LoadError(.query, "\(name): the load failed"))
        }
    }

    /// Starts the loads whose turn has come.
    private func startQueued() {
        while let load = gate.withLock({ $0.next() }) {
            let isWanted = withState(of: load.key) { state in
                !load.isLanded && (load.isRefresh || state.flights.hasWaiter(load.call) { _ in true })
            }
            if isWanted {
                run(load)
            } else {
                let error = LoadError(.abandoned, "\(name): nobody waited for the load any more")
                land(load, .failure(error), loadTime: 0)
                gate.withLock { $0.skip() }
            }
        }
    }

    /// Ends a load that takes too long: its callers get an error, and whoever comes from now on gets a new one.
    func giveUp(_ load: Load<Key, Value>) {
        let error = LoadError(.timedOut, "\(name): no answer within \(settings.loadTimeout ?? .zero)")
        land(load, .failure(error), loadTime: 0)
        withState(of: load.key) { _ in load.task }?.cancel()
    }

    // MARK: Landing

    /// Ends a flight, unless it has ended: keeps what it brought unless it was fenced, then tells those who wait.
    private func land(_ load: Load<Key, Value>, _ outcome: Result<Value?, any Error>, loadTime: Int64) {
        switch outcome {
        case .success(let value): land(load, value, loadTime: loadTime)
        case .failure(let error): landFailed(load, error)
        }
    }

    private func land(_ load: Load<Key, Value>, _ value: Value?, loadTime: Int64) {
        let key = load.key
        let (cost, lifespan) = value.map { describe($0, of: key, nil) } ?? (1, nil)
        let now = time.now()
        var changes = Changes<Key, Value>()
        let landing = withState(of: key) { state in
            // Landing and storing are one step: a removal comes either before, and then the flight was fenced, or after, and
            // then it finds the entry.
            let landing = state.land(load)
            guard let landing else { return landing }
            state.counters.localLoads += 1
            if landing.isForgotten {
                state.counters.fenced += 1
            } else {
                store(
                    Content(key: key, value: value, onExpiry: nil), cost: cost, lifespan, loadTime: loadTime, at: now,
                    in: &state, &changes)
            }
            return landing
        }
        settle(changes, near: key)
        landing?.waiters.forEach { $0.continuation?.resume(returning: value) }
    }

    private func landFailed(_ load: Load<Key, Value>, _ error: any Error) {
        let now = time.now()
        let (landing, standIn) = withState(of: load.key) { state in
            let landing = state.land(load)
            guard let landing else { return (landing, nil as Value??) }
            state.counters.loadErrors += 1
            // After a removal the last value is no answer, not even for want of a better one.
            guard !landing.isForgotten else { return (landing, nil) }
            let isAllowed = settings.staleIfError > .zero
            return (
                landing,
                state.standIn(load.key, for: landing.waiters.count, isAllowed: isAllowed, rules, at: now)
            )
        }
        guard let landing else { return }
        settings.logger?.debug("load failed", metadata: ["cache": "\(name)", "error": "\(error)"])
        landing.waiters.forEach { caller in
            if let standIn {
                caller.continuation?.resume(returning: standIn)
            } else {
                caller.continuation?.resume(throwing: error)
            }
        }
    }
}
