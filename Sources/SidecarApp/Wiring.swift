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
    let database: Database
    /// Hears of changes; nil when nothing is to tell of them, or no group wants to know.
    let changes: ChangeStream?
    /// Compares memory with the database; nil when that is not wanted.
    let verifier: MemoryVerifier?
    let server: Server
    let mistakes = QueryMistakes()

    /// - Throws: `StartupError`, when the system has no descriptors or memory for them.
    init(_ settings: Settings, logger: Logger) throws {
        do {
            let loadLog = LoadLog(logger: logger)
            let cache = Cache(memory: settings.memory) { .now() }
            let loops = try (0..<Self.loopCount(settings.threads)).map { try EventLoop(index: $0) }
            let getters = Self.getters(settings)
            let breaker = CircuitBreaker(evidence: .reports, threshold: 2) { state in
                switch state {
                case .open: logger.warning("the circuit opens: the database does not answer, loads fail at once")
                case .closed: logger.notice("the circuit closes: the database answers again")
                case .probing: break
                }
            }
            let served = try zip(settings.groups, getters).map { group, getter in
                ServedGroup(
                    try Group(
                        group.name, settings: Self.rules(group, of: settings, loops: loops.count), in: cache,
                        breaker: breaker, onLoad: loadLog.observer(of: group.name), getter: getter),
                    shape: Self.shape(group.returns),
                    hearsOfChanges: settings.invalidation.source != .none && !group.invalidateOn.isEmpty)
            }
            let map = Self.map(settings, concerning: served.map(\.group))
            let database = Database(
                settings: settings.database, loops: loops, getters: getters, logger: logger, circuit: breaker,
                onSchemaChange: { [cache] name in cache.groups.first { $0.name == name }?.invalidateAll() },
                onKeysKnown: { group, verdicts in map.note(verdicts, ofGroup: group) })
            let changes = try Self.changes(settings, map, loops: loops.count, logger: logger)
            let verifier = try Self.verifier(settings, of: served.map(\.group), changes, logger)
            var information = ServerInformation(memoryLimit: settings.memory, memoryUsed: { cache.usedBytes }) {
                [mistakes] in
                Self.lines(database.status, breaker.state, loadLog, mistakes)
            }
            information.invalidation = {
                Self.lines(changes?.status, settings.invalidation) + (verifier?.lines ?? [])
            }
            self.changes = changes
            self.verifier = verifier
            self.loops = loops
            self.cache = cache
            self.database = database
            server = try Server(
                settings: Self.server(settings, logger: logger), loops: loops,
                keyspace: Keyspace(served, keyPrefix: settings.keyPrefix ?? ""),
                information: information, changes: Self.applied(changes), logger: logger)
        } catch let error as SystemError {
            throw StartupError(.systemRefuses, "can't start: \(error)")
        }
    }

    /// Ends the loops' threads, after everything on them was closed.
    func stopLoops() {
        for loop in loops { loop.stop() }
        for loop in loops { loop.join() }
    }

    // MARK: Settings in each part's own terms

    /// What a change makes stale; nothing when nothing tells of changes.
    private static func map(_ settings: Settings, concerning groups: [Group]) -> InvalidationMap {
        InvalidationMap(
            settings.invalidation.source == .none
                ? []
                : zip(settings.groups, groups).filter { !$0.0.invalidateOn.isEmpty }.map {
                    InvalidatedGroup($1, rules: $0.invalidateOn, onChange: $0.onChange)
                })
    }

    private static func changes(
        _ settings: Settings, _ map: InvalidationMap, loops: Int, logger: Logger
    ) throws(SystemError) -> ChangeStream? {
        guard !map.groups.isEmpty else { return nil }
        return ChangeStream(
            settings.invalidation, database: settings.database, map: map, loop: try EventLoop(index: loops),
            logger: logger)
    }

    private static func verifier(
        _ settings: Settings, of groups: [Group], _ changes: ChangeStream?, _ logger: Logger
    ) throws -> MemoryVerifier? {
        guard settings.verify.rate > 0, changes != nil else { return nil }
        let told = zip(settings.groups, groups).filter { !$0.0.invalidateOn.isEmpty }.map(\.1)
        return try MemoryVerifier(told, settings.verify) { group, key in
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

    private static func shape(_ returns: QueryGetter.Returns) -> ServedGroup.Shape {
        switch returns {
        case .row: .row
        case .value: .value
        case .rows: .rows
        }
    }

    private static func rules(_ group: Settings.Group, of settings: Settings, loops: Int) -> GroupSettings {
        var rules = group.rules
        // `max_loads` bounds what the database is asked at once, and a batch is one query: its getter sees to that, and
        // here so many loads are let through as may be in them.
        rules.maxLoads *= group.batch.sql.isEmpty ? 1 : group.batch.max
        rules.shards = shards(for: min(rules.memory, settings.memory / max(1, settings.groups.count)), loops: loops)
        return rules
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

    private static func server(_ settings: Settings, logger: Logger) throws -> ServerSettings {
        var server = settings.listen
        server.maxClients = try Descriptors.clients(settings, logger: logger)
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
