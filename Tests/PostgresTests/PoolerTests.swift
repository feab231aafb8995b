import CacheCore
import Foundation
import Glibc
import Groundwork
import PrivateDatabase
import TestSupport
import Testing

@testable import Postgres

/// PgBouncer between us and the server, in transaction mode: another server session for each transaction.
@Suite(
    .serialized, .timeLimit(.minutes(2)),
    .enabled(if: FileManager.default.isExecutableFile(atPath: PgBouncer.program), "PgBouncer is not installed"))
struct PoolerTests {
    @Test func `loads are right though prepared statements get lost, and one warning tells what to set`() async throws {
        let pooler = try await PgBouncer()
        let getter = QueryGetter(name: "g", sql: "select $1::int * 2", returns: .value)
        let other = QueryGetter(name: "h", sql: "select $1::int + 1", returns: .value)
        let warnings = Log()
        let bench = try Bench(pooler.url, warnings: warnings, [getter, other])
        #expect(await bench.eventually { $0.connectionsReady == 4 })
        for round in 0..<20 {
            bench.trust()
            let keys = (0..<40).map { round * 40 + $0 }
            let answers = await bench.loadTogether(keys.map { ($0 % 2 == 0 ? "g" : "h", "\($0)") })
            #expect(answers == keys.map { .text("\($0 % 2 == 0 ? $0 * 2 : $0 + 1)") })
        }
        #expect(warnings.all.count { $0.contains("prepare: off") } == 1)
        #expect(bench.database.status.connectionsLost == 0)
        await bench.stop()
        await pooler.stop()
    }

    @Test func `a getter only reads, and others at the same pooler may write`() async throws {
        let server = try await Server.shared()
        _ = try await server.psql(
            """
            create table written(id int);
            create function write(int) returns int language sql as 'insert into written values ($1) returning id'
            """)
        let pooler = try await PgBouncer()
        let write = QueryGetter(name: "w", sql: "select write($1::int)", returns: .value)
        let bench = try Bench(pooler.url, settings: { $0.prepare = false }, [write])
        var answer = await bench.load("w", "1")
        #expect(answer == ReadOnlyTests.refused("w"))
        // The same server sessions, used by another client of the pooler.
        for id in 0..<6 { #expect(try await pooler.psql("insert into written values (\(id)) returning id") == "\(id)") }
        answer = await bench.load("w", "1")
        #expect(answer == ReadOnlyTests.refused("w"))
        #expect(try await server.psql("select count(*) from written").hasPrefix("6"))
        await bench.stop()
        await pooler.stop()
    }
}

/// What getters must not do.
@Suite(.timeLimit(.minutes(2)))
struct ReadOnlyTests {
    static func refused(_ group: String) -> Answer {
        .error(.query, "\(group): the query would write, and a getter only reads, unless database.read_only is off")
    }

    private func getters(_ name: String) async throws -> [QueryGetter] {
        _ = try await Server.shared().psql(
            """
            create table \(name)(id int); insert into \(name) values (1); create sequence \(name)_s;
            create function delete_\(name)(int) returns int language sql
                as 'delete from \(name) where id = $1 returning id'
            """)
        return [
            QueryGetter(name: "n", sql: "select nextval('\(name)_s')::text || $1", returns: .value),
            QueryGetter(name: "d", sql: "select delete_\(name)($1::int)", returns: .value),
        ]
    }

    @Test(arguments: ["", "&options=-c%20application_name%3Dours"])
    func `a getter that writes is refused with a text that says so`(options: String) async throws {
        let name = "only_read_\(options.count)"
        let bench = try await Bench(Server.shared().url + options, getters(name))
        #expect(await bench.load("n", "x") == Self.refused("n"))
        #expect(await bench.load("d", "1") == Self.refused("d"))
        #expect(try await Server.shared().psql("select count(*) from \(name)").hasPrefix("1"))
        #expect(bench.database.status.connectionsLost == 0)
        await bench.stop()
    }

    @Test func `with read_only off it may`() async throws {
        let bench = try Bench(
            try await Server.shared().url, settings: { $0.readOnly = false }, try await getters("may_write"))
        #expect(await bench.load("n", "x") == .text("1x"))
        #expect(await bench.load("d", "1") == .text("1"))
        await bench.stop()
    }
}

/// A private PgBouncer in front of the shared server; three server sessions in transaction mode.
struct PgBouncer {
    /// Where `make deps-test` has put it, or the system's.
    static let program =
        ["\(#filePath)/../../../run/pgbouncer/usr/sbin/pgbouncer", "/usr/sbin/pgbouncer"]
        .map { URL(fileURLWithPath: $0).standardized.path }
        .first { FileManager.default.isExecutableFile(atPath: $0) } ?? "pgbouncer"

    let folder: String
    private let process: Process

    var url: String { "postgresql:///postgres?host=\(folder)&port=6432&user=postgres" }

    init() async throws {
        folder = "/tmp/pgs-pooler-\(UUID().uuidString.prefix(8))"
        let server = try await Server.shared()
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o777])
        // It refuses to run as root.
        let user = getuid() == 0 ? "user = postgres" : ""
        try """
        [databases]
        * = host=\(server.folder) user=postgres
        [pgbouncer]
        unix_socket_dir = \(folder)
        listen_port = 6432
        auth_type = any
        pool_mode = transaction
        default_pool_size = 3
        \(user)
        """.write(toFile: "\(folder)/pgbouncer.ini", atomically: true, encoding: .utf8)
        process = Process()
        process.executableURL = URL(fileURLWithPath: Self.program)
        process.arguments = ["-q", "\(folder)/pgbouncer.ini"]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        let socket = "\(folder)/.s.PGSQL.6432"
        #expect(await eventually(within: .seconds(10)) { FileManager.default.fileExists(atPath: socket) })
    }

    func psql(_ sql: String) async throws -> String {
        let psql = Process()
        psql.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        psql.arguments = ["psql", "-XAtqc", sql, url]
        let output = Pipe()
        psql.standardOutput = output
        try psql.run()
        let text = try output.fileHandleForReading.readToEnd() ?? Data()
        psql.waitUntilExit()
        return String(decoding: text, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    func stop() async {
        // It has the signals blocked that the thread had which started it, SIGTERM among them.
        kill(process.processIdentifier, SIGKILL)
        _ = await eventually(within: .seconds(10)) { !process.isRunning }
        try? FileManager.default.removeItem(atPath: folder)
    }
}
