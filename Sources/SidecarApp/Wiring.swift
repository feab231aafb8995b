import CLinux
import CacheCore
import EventLoop
import Groundwork
import Invalidation
import Logging
import Postgres
import Server

/// The sidecar's parts, tied together and not yet started.
struct Wiring {
    let loops: [EventLoop]
    let cache: Cache
    let live: Live
    /// Hears of changes; nil when nothing is to tell of them. Not started while no group wants to know.
    let changes: ChangeStream?
    /// Compares memory with the database; nil when that is not wanted.
    let verifier: MemoryVerifier?
    let server: Server
    let mistakes = QueryMistakes()
    let reloads = ReloadLog()
    let groupParts: GroupParts
    /// Open before any client came.
    private let openDescriptors: Int
    private let logger: Logger
    /// What operators are told.
    let statistics: StatisticsSource

    /// - Parameter operations: What clients may ask of the process.
    /// - Throws: `StartupError`, when the system has no descriptors or memory for them.
    init(_ settings: Settings, operations: Operations = Operations(), logger: Logger) throws {
        do {
            let loadLog = LoadLog(logger: logger)
            let slowLoads = SlowLoads(settings.slowLog)
            let cache = Cache(memory: settings.memory, slowLoads: slowLoads) { .now() }
            let loops = try (0..<Self.loopCount(settings.threads)).map { try EventLoop(index: $0) }
            let breaker = CircuitBreaker(evidence: .reports, threshold: 2) { state in
                switch state {
                case .open: logger.warning("the circuit opens: the database does not answer, loads fail at once")
                case .closed: logger.notice("the circuit closes: the database answers again")
                case .probing: break
                }
            }
            let parts = GroupParts(cache: cache, breaker: breaker, loadLog: loadLog, loops: loops.count)
            let groups = try settings.groups.map { try parts.make($0, of: settings) }
            let map = Self.map(settings, concerning: groups)
            let database = Self.database(
                settings, groups, map, loops: loops, circuit: breaker, succeeding: nil, logger: logger)
            let live = Live(Live.State(settings: settings, groups: groups, database: database, map: map))
            let changes = try Self.changes(settings, map, loops: loops.count, logger: logger)
            let verifier = try Self.verifier(settings, of: groups, changes, logger)
            var information = ServerInformation(memoryLimit: cache.memory, memoryUsed: { cache.usedBytes }) {
                [mistakes] in
                Self.lines(live.database.status, breaker.state, loadLog, mistakes)
            }
            information.invalidation = {
                Self.lines(changes.flatMap { $0.isStarted ? $0.status : nil }, settings.invalidation)
                    + (verifier?.lines ?? [])
            }
            information.settings = { [reloads] in
                reloads.lines + [("warm_start", live.isWarm ? "done" : "loading")]
            }
            information.slowLoads = slowLoads
            self.changes = changes
            self.verifier = verifier
            self.loops = loops
            self.cache = cache
            self.live = live
            self.logger = logger
            groupParts = parts
            openDescriptors = Descriptors.openCount
            server = try Server(
                settings: Self.server(settings, open: openDescriptors, logger: logger), loops: loops,
                keyspace: Keyspace(groups.map(\.served), keyPrefix: settings.keyPrefix ?? ""),
                information: information, changes: Self.applied(changes), operations: operations, logger: logger)
            statistics = StatisticsSource(
                live, cache: cache, slowLoads: slowLoads, server: server, loadLog: loadLog, mistakes: mistakes,
                verifier: verifier, circuit: { breaker.state },
                stream: { changes.flatMap { $0.isStarted ? $0.status : nil } })
        } catch let error as SystemError {
            throw StartupError(.systemRefuses, "can't start: \(error)")
        }
    }

    /// Begins to hear of changes, if some group wants to know of them and that was not begun. False when the system gives no
    /// thread.
    func startChangesIfWanted() -> Bool {
        guard let changes, !changes.isStarted, !changes.groups.isEmpty else { return true }
        return changes.start { [server] in server.tell(changes.groups, hearOfChanges: $0) }
    }

    /// Ends the loops' threads, after everything on them was closed.
    func stopLoops() {
        for loop in loops { loop.stop() }
        for loop in loops { loop.join() }
    }

    // MARK: Settings in each part's own terms

    /// What a change makes stale; nothing when nothing tells of changes.
    static func map(
        _ settings: Settings, concerning groups: [Live.ServingGroup], after old: InvalidationMap? = nil
    ) -> InvalidationMap {
        InvalidationMap(
            settings.invalidation.source == .none
                ? []
                : groups.filter { !$0.settings.invalidateOn.isEmpty }.map {
                    InvalidatedGroup(
                        $0.served.group, rules: $0.settings.invalidateOn, onChange: $0.settings.onChange)
                }, after: old)
    }

    /// The way to the database for the groups' getters.
    static func database(
        _ settings: Settings, _ groups: [Live.ServingGroup], _ map: InvalidationMap, loops: [EventLoop],
        circuit: CircuitBreaker, succeeding predecessor: Database?, logger: Logger
    ) -> Database {
        let byName = Dictionary(uniqueKeysWithValues: groups.map { ($0.settings.name, $0.served.group) })
        return Database(
            settings: settings.database, loops: loops, getters: groups.map(\.getter), logger: logger, circuit: circuit,
            succeeding: predecessor,
            onSchemaChange: { name in byName[name]?.invalidateAll() },
            onKeysKnown: { group, verdicts in map.note(verdicts, ofGroup: group) })
    }

    private static func changes(
        _ settings: Settings, _ map: InvalidationMap, loops: Int, logger: Logger
    ) throws(SystemError) -> ChangeStream? {
        guard settings.invalidation.source != .none else { return nil }
        return ChangeStream(
            settings.invalidation, database: settings.database, map: map, loop: try EventLoop(index: loops),
            logger: logger)
    }

    private static func verifier(
        _ settings: Settings, of groups: [Live.ServingGroup], _ changes: ChangeStream?, _ logger: Logger
    ) throws -> MemoryVerifier? {
        guard settings.verify.rate > 0, changes != nil else { return nil }
        return try MemoryVerifier(groups.filter(\.served.hearsOfChanges).map(\.served.group), settings.verify) {
            group, key in
            logger.error(
                "an entry was not what the database has for longer than verify.bound; it was dropped",
                metadata: ["group": "\(group.name)"])
            logger.debug(
                "that entry",
                metadata: ["group": "\(group.name)", "key": "\(String(decoding: key.bytes, as: UTF8.self))"])
        }
    }

    private static func loopCount(_ threads: Int) -> Int {
        threads > 0 ? threads : min(4, max(1, Int(pgs_processor_count()) / 2))
    }

    /// The groups' getters, in their order. Keys are bound to tables when something tells of changes.
    static func getters(_ settings: Settings) -> [QueryGetter] {
        settings.groups.map { getter($0, isTold: settings.invalidation.source != .none) }
    }

    static func getter(_ group: Settings.Group, isTold: Bool = false) -> QueryGetter {
        let batch =
            group.batch.sql.isEmpty
            ? nil : BatchQuery(sql: group.batch.sql, max: group.batch.max, queries: group.rules.maxLoads)
        return QueryGetter(
            name: group.name, sql: group.sql, returns: group.returns, batch: batch,
            keyedBy: isTold
                ? group.invalidateOn.map {
                    KeyedTable(schema: $0.table.schema, name: $0.table.name, columns: $0.key)
                } : [])
    }

    /// A single loop never meets another one at a lock, and with four shards a loop they seldom meet. Each shard has pages
    /// that it has begun, some 24 KiB: with one for each MiB at most, they are little beside what the group may hold.
    static func shards(for memory: Int, loops: Int) -> Int {
        var shards = 1
        while loops > 1, shards < 4 * loops, shards * 2 <= memory >> 20 { shards *= 2 }
        return shards
    }

    /// How many database connections there are to be.
    static func connections(_ settings: Settings) -> Int {
        settings.database.connections(for: loopCount(settings.threads))
    }

    /// What the server is told, with as many clients as there can be.
    func serverSettings(_ settings: Settings) throws -> ServerSettings {
        try Self.server(settings, open: openDescriptors, logger: logger)
    }

    private static func server(_ settings: Settings, open: Int, logger: Logger) throws -> ServerSettings {
        var server = settings.listen
        server.maxClients = try Descriptors.clients(settings, open: open, logger: logger)
        server.version = Sidecar.version
        return server
    }

    /// The `database` section of `INFO`.
    private static func lines(
        _ status: DatabaseStatus, _ circuit: CircuitBreaker.State, _ loadLog: LoadLog, _ mistakes: QueryMistakes
    ) -> [(name: String, value: String)] {
        let degraded = Set(status.degradedGroups).union(mistakes.groups)
        return [
            ("database_connections_wanted", "\(status.connectionsWanted)"),
            ("database_connections_ready", "\(status.connectionsReady)"),
            ("database_connections_connecting", "\(status.connectionsConnecting)"),
            ("database_connections_made", "\(status.connectionsMade)"),
            ("database_connections_lost", "\(status.connectionsLost)"),
            (
                "database_hosts",
                status.hosts.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ",")
            ),
            ("database_circuit", "\(circuit)"),
            ("database_loads_sent", "\(status.loadsSent)"),
            ("database_loads_queued", "\(status.loadsQueued)"),
            ("database_loads_retried", "\(status.loadsRetried)"),
            ("database_last_error", status.lastError ?? ""),
            ("database_degraded_groups", degraded.sorted().joined(separator: ",")),
            ("failing_groups", loadLog.failingGroups.joined(separator: ",")),
            ("last_load_error", loadLog.lastError ?? ""),
        ]
    }
}
