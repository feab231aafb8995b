import Groundwork

extension Group {
    /// The value of `key`, from memory or the getter; nil when the source has no such row.
    ///
    /// However many callers ask at once, the getter runs once. A caller that is cancelled returns at once with
    /// `CancellationError`; the load goes on for the others.
    ///
    /// - Throws: What the getter threw; else a ``LoadError``, with code `.timedOut` when no answer came within the group's
    ///   `loadTimeout`, `.busy` when too many wait.
    public func get(_ key: Key) async throws -> Value? {
        let now = cache.clock()
        let caller = Caller()
        let waiter = Waiter(caller, token: 0, deadline: now + loadTimeout)
        var nothing = OutputRawSpan()
        return try await answer(
            begin(lookup(key.bytes.span.bytes, KeyHash(key), .whole, at: now, waiter: waiter, into: &nothing)), of: key,
            to: caller)
    }

    /// Loads `key` now, whatever is in memory, and returns what the source says. Callers at the same time share the load.
    ///
    /// - Throws: As ``get(_:)``.
    public func refresh(_ key: Key) async throws -> Value? {
        let caller = Caller()
        let waiter = Waiter(caller, token: 0, deadline: cache.clock() + loadTimeout)
        return try await answer(begin(refresh(key.bytes.span.bytes, waiter: waiter)), of: key, to: caller)
    }

    /// What memory holds for `key`, without loading: nil when nothing, ``Value/missing`` when the source has no such row.
    public func peek(_ key: Key) -> Value? {
        var nothing = OutputRawSpan()
        return peek(key.bytes.span.bytes, .whole, at: cache.clock(), into: &nothing)?.value
    }

    /// Drops the entry of `key` and fences its load: what that brings goes to those who wait and is not kept. From now on no
    /// older value is served or stored.
    @discardableResult
    public func invalidate(_ key: Key) -> Bool {
        invalidate(key.bytes.span.bytes)
    }

    /// Invalidates `key`, and if it was in memory loads it again at once. Whoever asks meanwhile waits for that.
    public func reload(_ key: Key) {
        if let flight = reload(key.bytes.span.bytes) { load(flight) }
    }

    /// Marks `key` as asked for just now. Returns whether it is in memory.
    @discardableResult
    public func touch(_ key: Key) -> Bool {
        touch(key.bytes.span.bytes, at: cache.clock())
    }

    /// Tells about an entry; nil when it is not in memory. Counts as no lookup.
    public func inspect(_ key: Key) -> EntryInspection? {
        inspect(key.bytes.span.bytes, at: cache.clock())
    }

    /// How a lookup goes on when its lock is behind it.
    private enum Begun {
        case answered(Value)
        case waits(Ticket)
        case refused(LoadError)
    }

    private func begin(_ lookup: consuming Lookup) -> Begun {
        switch consume lookup {
        case .hit(let hit): return .answered(hit.value)
        case .refreshes(let hit, let flight):
            load(flight)
            return .answered(hit.value)
        case .follows(let ticket): return .waits(ticket)
        case .leads(let flight, let ticket):
            load(flight)
            return .waits(ticket)
        case .refused(let error): return .refused(error)
        }
    }

    private func answer(_ begun: Begun, of key: Key, to caller: Caller) async throws -> Value? {
        switch begun {
        case .answered(let value): return value.isMissing ? nil : value
        case .waits(let ticket):
            let value = try await wait(caller, ticket, key)
            return value.isMissing ? nil : value
        case .refused(let error): throw error
        }
    }

    private func wait(_ caller: Caller, _ ticket: Ticket, _ key: Key) async throws -> Value {
        let alarm = Task { [loadTimeout, name] in
            try await Task.sleep(for: loadTimeout)
            caller.deliver(.failure(LoadError(.timedOut, "\(name): no answer within \(loadTimeout)")), token: 0)
        }
        defer { alarm.cancel() }
        switch await caller.outcome() {
        case .success(let value)?: return value
        case .failure(let error)?:
            guard error.code == .timedOut else { throw error.underlyingError ?? error }
            leave(ticket)
            if let value = standIn(for: key.bytes.span.bytes, at: cache.clock()) { return value }
            throw error
        case nil:
            leave(ticket)
            throw CancellationError()
        }
    }
}

/// A task that waits for a flight. The first of outcome, deadline and cancellation wins.
private final class Caller: OutcomeSink {
    private enum State {
        case running
        case waiting(CheckedContinuation<Outcome?, Never>)
        case done(Outcome?)
    }

    private let state = Mutex<State>(.running)

    func deliver(_ outcome: Outcome, token: UInt64) {
        end(outcome)
    }

    /// How the flight ended; nil: this caller was cancelled.
    func outcome() async -> Outcome? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let early: Outcome?? = state.withLock { state in
                    switch state {
                    case .done(let outcome): return .some(outcome)
                    case .running, .waiting:
                        state = .waiting(continuation)
                        return .none
                    }
                }
                if let early { continuation.resume(returning: early) }
            }
        } onCancel: {
            end(nil)
        }
    }

    private func end(_ outcome: Outcome?) {
        let waiting: CheckedContinuation<Outcome?, Never>? = state.withLock { state in
            switch state {
            case .running:
                state = .done(outcome)
                return nil
            case .waiting(let continuation):
                state = .done(outcome)
                return continuation
            case .done: return nil
            }
        }
        waiting?.resume(returning: outcome)
    }
}
