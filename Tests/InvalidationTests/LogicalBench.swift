import CacheCore
import EventLoop
import Foundation
import Groundwork
import Logging
import Postgres
import PrivateDatabase
import TestSupport
import Testing

@testable import Invalidation

/// A server whose log can be decoded, for all tests that don't break it.
enum LogicalServer {
    static let shared = Task { try await start() }

    static func start(_ settings: [String: String] = [:]) async throws -> PrivatePostgres {
        let own = [
            "wal_level": "logical", "max_prepared_transactions": "10", "max_connections": "100",
            "max_wal_senders": "40", "max_replication_slots": "40",
        ]
        return try await PrivatePostgres(
            in: "/tmp/pgsidecar-logical-\(UUID().uuidString.prefix(8))", settings: own.merging(settings) { $1 })
    }
}

/// A source over a database of its own, and what it told.
final class LogicalBench: Sendable {
    let server: PrivatePostgres
    let database: String
    let loop: EventLoop
    let recorder = Recorder()
    let source: Groundwork.Mutex<LogicalSource?>

    var url: String { "\(server.url)&dbname=\(database)" }

    /// - Parameter rules: By group: its tables, all of the schema public, with their key columns.
    init(
        _ setUp: String, rules: [String: [(table: String, key: [String])]], on server: PrivatePostgres? = nil,
        loads: String? = nil, role: String? = nil
    ) async throws {
        let shared = try await LogicalServer.shared.value
        self.server = server ?? shared
        database = "d" + UUID().uuidString.filter { $0 != "-" }.lowercased()
        _ = try await self.server.psql("create database \(database)")
        _ = try await self.server.psql(setUp, database: database)
        let groups = try rules.sorted { $0.key < $1.key }.map { name, tables in
            InvalidatedGroup(
                try Group(name, getter: NothingGetter()),
                rules: tables.map { TableRule(table: TableName(schema: "public", name: $0.table), key: $0.key) })
        }
        loop = try EventLoop()
        loop.start()
        var settings = LogicalSource.Settings(
            stream: DatabaseSettings(), loads: DatabaseSettings(), publication: "pgsidecar",
            heartbeat: .milliseconds(200))
        let role = role.map { "&user=\($0)" } ?? ""
        settings.stream.url = Secret("\(self.server.url)&dbname=\(database)\(role)")
        settings.loads.url = Secret(loads ?? "\(self.server.url)&dbname=\(database)")
        // On a busy machine five seconds are not enough.
        settings.stream.connectTimeout = .seconds(60)
        settings.loads.connectTimeout = .seconds(60)
        source = Mutex(nil)
        let made = LogicalSource(
            settings, InvalidationMap(groups), on: loop, owner: recorder, logger: Logger(label: "test"))
        source.withLock { $0 = made }
    }

    /// With one group `account`, known by its `id`.
    convenience init(
        _ setUp: String = LogicalBench.account, key: [String] = ["id"], on server: PrivatePostgres? = nil,
        loads: String? = nil, role: String? = nil
    ) async throws {
        try await self.init(setUp, rules: ["account": [("account", key)]], on: server, loads: loads, role: role)
    }

    static let account = """
        create table account(id int primary key, mail text, note text);
        create publication pgsidecar for table account;
        """

    func run(_ sql: String) async throws { _ = try await server.psql(sql, database: database) }

    func ask(_ sql: String) async throws -> String {
        try await server.psql(sql, database: database).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    func onLoop(_ body: @escaping @Sendable (LogicalSource) -> Void) {
        let source = source.withLock { $0 }
        loop.submit { if let source { body(source) } }
    }

    /// Connects, and waits until it streams and what ran at the beginning has ended: then everything is stale once more.
    func begin() async throws {
        try await connect()
        _ = try await changes()
    }

    /// Connects, and waits until it streams.
    func connect() async throws {
        let before = recorder.timesProven
        onLoop { $0.connect() }
        guard await eventually({ self.recorder.timesProven > before || !self.recorder.losses.isEmpty }) else {
            throw Failure("no stream")
        }
        guard recorder.losses.isEmpty else { throw Failure("lost: \(recorder.losses)") }
        recorder.forget()
    }

    /// Waits until the source was lost, and gives the reason.
    func loss() async -> String {
        _ = await eventually { !self.recorder.losses.isEmpty }
        return recorder.losses.first ?? ""
    }

    /// Asks for signs of life until the answer is yes. (One that comes while the last one's question is under way asks nothing.)
    func beats(_ condition: (Recorder) -> Bool) async -> Bool {
        await eventually {
            onLoop { $0.beat() }
            return condition(recorder)
        }
    }

    /// What came since the last call, once all that was committed by now has.
    func changes() async throws -> [TableChange] {
        let position = try #require(LogPosition(try await ask("select pg_current_wal_insert_lsn()")))
        let isThere = await eventually {
            self.onLoop { $0.beat() }
            return self.recorder.told >= position || !self.recorder.losses.isEmpty
        }
        #expect(isThere && recorder.losses.isEmpty, "\(recorder.losses)")
        return recorder.takeChanges()
    }

    func end() async {
        onLoop { $0.close() }
        let hasClosed = Groundwork.Mutex(false)
        loop.submit { hasClosed.withLock { $0 = true } }
        _ = await eventually { hasClosed.withLock { $0 } }
        await loop.end()
    }
}

/// Rows of the table `account` or another, by one list of columns.
func rows(_ keys: [[String?]], _ columns: [String] = ["id"], of table: String = "account") -> TableChange {
    let texts = keys.map { key in key.map { part in part.map { Array($0.utf8) } } }
    return TableChange(table: TableName(schema: "public", name: table), what: .rows(columns: columns, keys: texts))
}

func all(of table: String = "account") -> TableChange {
    TableChange(table: TableName(schema: "public", name: table), what: .all)
}

struct NothingGetter: Getter {
    func load(_ flight: consuming Flight) { flight.succeed(.missing) }
}

/// Remembers what a source tells.
final class Recorder: ChangeSourceOwner, Sendable {
    private struct State {
        var proven = 0
        var changes: [TableChange] = []
        var told = LogPosition.none
        var losses: [String] = []
        var refused: [String: String] = [:]
        var heard = 0
        var waits: [String] = []
    }

    private let state = Groundwork.Mutex(State())

    var timesProven: Int { state.withLock { $0.proven } }
    var waiting: [String] { state.withLock { $0.waits } }
    var told: LogPosition { state.withLock { $0.told } }
    var losses: [String] { state.withLock { $0.losses } }
    var refused: [String: String] { state.withLock { $0.refused } }
    var changeCount: Int { state.withLock { $0.changes.count } }

    func takeChanges() -> [TableChange] {
        state.withLock { state in
            defer { state.changes = [] }
            return state.changes
        }
    }

    /// Forgets the changes and losses so far.
    func forget() {
        state.withLock {
            $0.changes = []
            $0.losses = []
        }
    }

    func waits(_ reason: String) { state.withLock { $0.waits.append(reason) } }
    func opened() {}
    func proven() { state.withLock { $0.proven += 1 } }
    func heard() { state.withLock { $0.heard += 1 } }
    func changed(_ change: TableChange) { state.withLock { $0.changes.append(change) } }
    func misheard() {}
    func misread() {}
    func told(upTo position: LogPosition) { state.withLock { $0.told = position } }
    func lags(by bytes: UInt64, holding transactions: Int) {}
    func beatAnswered() {}
    func adopted() {}
    func refused(_ groups: [String: String]) { state.withLock { $0.refused = groups } }
    func lost(_ reason: String) { state.withLock { $0.losses.append(reason) } }
}
