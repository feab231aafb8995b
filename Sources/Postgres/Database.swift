public import CacheCore
public import EventLoop
import Groundwork
public import Logging

/// The way from getters to PostgreSQL: a pool of pipelined connections on each loop. Any thread may use it.
public final class Database: Sendable {
    let context: DatabaseContext
    private let routing: Routing

    /// Ties `getters` to the database, which connects when it is started.
    ///
    /// - Parameters:
    ///   - settings: How the database is reached and how much of it is used.
    ///   - loops: The loops that connections live on; a load starts on the loop of its caller where that has any.
    ///   - getters: Each belongs to one database.
    ///   - logger: Gets connections made, lost and refused, and groups whose SQL cannot work.
    ///   - circuit: Is told when the database answers and when it does not; that of the getters' groups, whose evidence
    ///     should be ``CircuitBreaker/Evidence/reports``.
    ///   - predecessor: The database whose place this one is to take, whose figures go on here; its getters are this one's
    ///     from ``takeLoads()`` on.
    ///   - onSchemaChange: Called with a group's name when the columns of its result changed, on a loop's thread: what
    ///     the group holds has an older shape and is best dropped. Called, too, when its keys are known by other texts.
    ///   - onKeysKnown: Called with a group's name and, for each of its getter's ``QueryGetter/keyedBy``, what that can tell of
    ///     keys; when that is known, and when it changed. On any thread; before anything is kept in the group by it.
    public init(
        settings: DatabaseSettings, loops: [EventLoop], getters: [QueryGetter], logger: Logger,
        circuit: CircuitBreaker = CircuitBreaker(evidence: .reports), succeeding predecessor: Database? = nil,
        onSchemaChange: @escaping @Sendable (_ group: String) -> Void = { _ in },
        onKeysKnown: @escaping @Sendable (_ group: String, _ verdicts: [KeyVerdict]) -> Void = { _, _ in }
    ) {
        var settings = settings
        settings.connections = settings.connections(for: loops.count)
        context = DatabaseContext(
            settings: settings, getters: getters, logger: logger, circuit: circuit,
            counters: predecessor?.context.counters ?? DatabaseCounters(), onSchemaChange: onSchemaChange,
            onKeysKnown: onKeysKnown)
        routing = Routing(loops: loops, connections: settings.connections)
        if predecessor == nil { attachGetters() }
    }

    /// When it returns the getters' loads come here. A database without a predecessor has them from the beginning.
    public func takeLoads() async {
        // A loop that has had no time since ``start()`` has no pool yet, and may be in the middle of a round that loads.
        for seat in routing.seats { await onLoop(of: seat) { _ in } }
        attachGetters()
    }

    private func attachGetters() {
        for (index, getter) in context.getters.enumerated() { getter.attach(to: routing, index: index) }
    }

    /// Waits until the first connection is there; or, when every attempt of the first round failed, returns the reason.
    public func firstConnection() async -> String? { await context.firstConnection.wait() }

    /// Has all connections made anew, those of one loop after those of the other, without failing loads. Returns why not, if one
    /// can't be made; the rest stay as they are then.
    public func reconnect() async -> String? {
        for seat in routing.seats {
            let reason: String? = await withCheckedContinuation { continuation in
                seat.loop.submit {
                    guard let pool = seat.pool else { return continuation.resume(returning: "there is no connection") }
                    pool.renewAll { continuation.resume(returning: $0) }
                }
            }
            if let reason { return reason }
        }
        return nil
    }

    /// Ends a database whose getters belong to another one: what waits goes there, and what is in flight is answered before the
    /// connections are closed.
    public func retire() async {
        // All of them before any is looked at: from then on none hands a load to another.
        for seat in routing.seats { await onLoop(of: seat) { $0?.retire() } }
        for seat in routing.seats {
            await withCheckedContinuation { continuation in
                seat.loop.submit {
                    guard let pool = seat.pool else { return continuation.resume() }
                    pool.onIdle { continuation.resume() }
                }
            }
        }
        await stop()
    }

    private func onLoop(of seat: PoolSeat, _ body: @escaping @Sendable (ConnectionPool?) -> Void) async {
        await withCheckedContinuation { continuation in
            seat.loop.submit {
                body(seat.pool)
                continuation.resume()
            }
        }
    }

    /// Begins to connect; returns at once. The loops may be started before or after.
    ///
    /// A database that cannot be reached is asked again, with growing pauses, for as long as it takes. The first
    /// connection has every getter described before it takes loads; what is wrong with one is logged.
    public func start() {
        for seat in routing.seats {
            seat.loop.submit { [routing, context] in
                guard seat.pool == nil else { return }
                let pool = ConnectionPool(on: seat, routing: routing, context: context)
                seat.pool = pool
                pool.start()
            }
        }
    }

    /// How long a server may take to cancel what it still runs at the end.
    private static let patience = Duration.seconds(1)

    /// Closes all connections; loads that wait or are in flight fail, and what the server still runs for them is cancelled.
    /// Returns when that is done, or when the server does not answer within a second. The loops must be running.
    public func stop() async {
        let (cancelled, signal) = AsyncStream.makeStream(of: Void.self)
        var due = 0
        for seat in routing.seats {
            due += await withCheckedContinuation { continuation in
                seat.loop.submit {
                    let count = seat.pool?.close { signal.yield() } ?? 0
                    seat.pool = nil
                    continuation.resume(returning: count)
                }
            }
        }
        guard due > 0, let loop = routing.seats.first?.loop else { return }
        loop.submit { loop.schedule(at: loop.now + Self.patience) { signal.finish() } }
        for await _ in cancelled {
            due -= 1
            if due == 0 { break }
        }
    }

    /// Has the server parse and describe every getter's statement, over a connection made for it.
    ///
    /// - Returns: One description for each getter, in their order. SQL that the server refuses is told there.
    /// - Throws: ``ConnectError`` when the database cannot be reached or does not answer.
    public func describe() async throws -> [GroupDescription] {
        try await withCheckedThrowingContinuation { continuation in
            let isStarted = startThread { [context] in
                do throws(ConnectError) {
                    let connection = try PQConnection.connect(context.settings, for: .describe)
                    continuation.resume(returning: try Catalog.describe(context, on: connection))
                } catch {
                    continuation.resume(throwing: error)
                }
            }
            if !isStarted { continuation.resume(throwing: ConnectError(description: "no thread to connect on")) }
        }
    }

    /// What the first connection was told about every getter; nil before that.
    public var descriptions: [GroupDescription]? { context.catalog.descriptions }

    /// How the database stands at the moment.
    public var status: DatabaseStatus {
        var status = DatabaseStatus()
        status.connectionsWanted = context.settings.connections
        for seat in routing.seats {
            status.connectionsReady += seat.ready
            status.connectionsConnecting += seat.connecting
            status.loadsQueued += seat.queued
        }
        let counters = context.counters
        status.connectionsMade = counters.connected
        status.connectionsLost = counters.lost
        status.loadsSent = counters.sent
        status.loadsRetried = counters.retried
        status.lastError = counters.lastError
        status.hosts = context.hosts.counts
        status.degradedGroups = context.getters.filter(\.isDegraded).map(\.name)
        return status
    }
}

/// How a ``Database`` stands, and what it did since its start.
public struct DatabaseStatus: Sendable, Equatable {
    /// Connections that the settings ask for.
    public internal(set) var connectionsWanted = 0
    /// Connections that take loads.
    public internal(set) var connectionsReady = 0
    /// Attempts to connect that are under way.
    public internal(set) var connectionsConnecting = 0
    /// Connections that were made since the start.
    public internal(set) var connectionsMade = 0
    /// Connections that were lost since the start.
    public internal(set) var connectionsLost = 0
    /// How many connections lead to each host.
    public internal(set) var hosts: [String: Int] = [:]
    /// Loads that wait for room in a pipeline.
    public internal(set) var loadsQueued = 0
    /// Loads that were sent, retries included.
    public internal(set) var loadsSent = 0
    /// Loads that were started a second time.
    public internal(set) var loadsRetried = 0
    /// Why the last attempt to connect failed or the last connection was lost; nil since the last success. For the
    /// operator: may name hosts and users.
    public internal(set) var lastError: String?
    /// Groups whose SQL does not fit the database's tables any more.
    public internal(set) var degradedGroups: [String] = []
}
