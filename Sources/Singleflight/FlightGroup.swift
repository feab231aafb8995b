import Groundwork

/// Suppresses duplicate work: however many callers ask for a key at once, its work runs once, and all get its answer.
///
/// After the `Group` of x/sync's singleflight, for async code. It remembers nothing: when the answer is there the flight is
/// over, and the next caller starts a new one. Work runs in a task of its own that belongs to no caller, so whoever goes away
/// takes nothing from the others, and a flight that all callers left completes nevertheless.
///
/// It may be used from any thread or task. Work may ask for other keys; work that asks for its own key waits for itself.
public final class FlightGroup<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    /// What a flight brought, and whether it went to more than one caller.
    public typealias Answer = FlightResult<Value>.Answer

    typealias Table = FlightTable<Key, FlightResult<Value>>

    private let table = Mutex(Table())

    /// No flights.
    public init() {}

    // MARK: Asking

    /// The answer of the flight of `key`, which is started with `work` unless one is under way.
    ///
    /// Throws what the work threw; a ``FlightAbandonedError`` when it ended without an answer; and `CancellationError`, at
    /// once, when the calling task is cancelled, and only then. The other callers and the work don't notice.
    public func run(_ key: Key, _ work: @escaping @Sendable () async throws -> Value) async throws -> Answer {
        // A caller that is cancelled already must not start work for nobody.
        try Task.checkCancellation()
        let part = take(key, work)
        do {
            return try await part.result.answer
        } catch {
            // After a landing nobody is left to be taken out, so this matters to a cancelled caller only.
            table.withLock { _ = $0.leave(part.seat) }
            throw error
        }
    }

    /// Joins the flight of `key`, or starts it with `work`, and returns at once. Whoever holds the result may await it, any
    /// number of times and from any number of tasks, or drop it. It counts as one caller.
    public func begin(_ key: Key, _ work: @escaping @Sendable () async throws -> Value) -> FlightResult<Value> {
        take(key, work).result
    }

    /// Joins the flight of `key`, or starts it by handing `start` the duty to end it: for work in terms of callbacks.
    ///
    /// `start` is called before this returns, by the caller that leads, and without a lock. It may end the flight at once
    /// or keep it for later; dropping it ends it with a ``FlightAbandonedError``.
    public func join(_ key: Key, orStart start: (consuming Flight) -> Void) -> FlightResult<Value> {
        let part = join(key)
        if part.leads { start(Flight(key, call: part.seat.call, of: self)) }
        return part.result
    }

    /// Detaches the flight of `key`: it still brings its answer to those who wait, and whoever comes from now on starts a
    /// new one. Returns whether there was a flight.
    @discardableResult
    public func forget(_ key: Key) -> Bool {
        table.withLock { $0.forget(key) }
    }

    /// Whether `key` has a flight that newcomers join.
    public func isFlying(_ key: Key) -> Bool {
        table.withLock { $0.isFlying(key) }
    }

    /// How many callers wait for the flight of `key` that newcomers join; 0 when there is none.
    public func callerCount(of key: Key) -> Int {
        table.withLock { $0.waiterCount(of: key) }
    }

    // MARK: Flights

    /// A caller's part in a flight.
    private struct Part {
        let result: FlightResult<Value>
        let seat: Seat<FlightResult<Value>>
        let leads: Bool
    }

    private func join(_ key: Key) -> Part {
        let result = FlightResult<Value>()
        return table.withLock { table in
            switch table.join(key, result) {
            case .leads(let seat): Part(result: result, seat: seat, leads: true)
            case .follows(let seat): Part(result: result, seat: seat, leads: false)
            }
        }
    }

    private func take(_ key: Key, _ work: @escaping @Sendable () async throws -> Value) -> Part {
        let part = join(key)
        if part.leads {
            // Detached: the work inherits no cancellation, and belongs to none of its callers.
            Task.detached { [call = part.seat.call] in
                do {
                    let value = try await work()
                    self.land(call, of: key, .success(value))
                } catch let error as CancellationError {
                    // Callers are told of their own cancellation by this error. They must not take the work's for theirs.
                    self.land(call, of: key, .failure(FlightAbandonedError(underlyingError: error)))
                } catch {
                    self.land(call, of: key, .failure(error))
                }
            }
        }
        return part
    }

    /// Ends a flight: what it brought goes to all who wait, outside the lock.
    fileprivate func land(_ call: Call<FlightResult<Value>>, of key: Key, _ outcome: Result<Value, any Error>) {
        let waiters = table.withLock { $0.land(call, of: key).waiters }
        let isShared = waiters.count > 1
        let answer = outcome.map { (value: $0, isShared: isShared) }
        waiters.forEach { $0.land(answer) }
    }
}

extension FlightGroup {
    /// The duty to end one flight, exactly once.
    ///
    /// It can't be copied, ending it consumes it, and one that is dropped on the way ends itself with a
    /// ``FlightAbandonedError``: no caller is ever left behind. Any thread may hold it.
    public struct Flight: ~Copyable, Sendable {
        /// What was asked for.
        public let key: Key
        private let flights: FlightGroup
        private var call: Call<FlightResult<Value>>?

        fileprivate init(_ key: Key, call: Call<FlightResult<Value>>, of flights: FlightGroup) {
            self.key = key
            self.call = call
            self.flights = flights
        }

        deinit {
            guard let call else { return }
            flights.land(call, of: key, .failure(FlightAbandonedError()))
        }

        /// Ends the flight with a value, which all who wait get.
        public consuming func succeed(_ value: Value) {
            end(.success(value))
        }

        /// Ends the flight with an error, which all who wait get.
        public consuming func fail(_ error: any Error) {
            end(.failure(error))
        }

        private consuming func end(_ outcome: Result<Value, any Error>) {
            guard let call = call.take() else { return }
            flights.land(call, of: key, outcome)
        }
    }
}

/// The work of a flight ended without an answer: it was dropped or cancelled.
public struct FlightAbandonedError: Error, Sendable, CustomStringConvertible {
    /// What the work threw when it was cancelled; nil when it was dropped.
    public let underlyingError: (any Error)?

    init(underlyingError: (any Error)? = nil) {
        self.underlyingError = underlyingError
    }

    /// Says so.
    public var description: String {
        underlyingError == nil ? "the work ended without an answer" : "the work was cancelled"
    }
}
