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
    .serialized, .timeLimit(.minutes(10)),
    .enabled(if: FileManager.default.isExecutableFile(atPath: PgBouncer.program), "PgBouncer is not installed"))
struct PoolerTests {
    @Test func `loads are right though prepared statements get lost, and one warning tells what to set`() async throws {
        let pooler = try await PgBouncer(before: Server.shared())
        let getter = QueryGetter(name: "g", sql: "select $1::int * 2", returns: .value)
        let other = QueryGetter(name: "h", sql: "select $1::int + 1", returns: .value)
        let warnings = Log()
        let bench = try Bench(pooler.url, warnings: warnings, [getter, other])
        #expect(await bench.eventually { $0.connectionsReady == 4 })
        // The pooler deals its sessions out as it likes: until one is met that does not have the statement.
        var round = 0
        while round < 20 || warnings.all.isEmpty && round < 2_000 {
            defer { round += 1 }
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
        let pooler = try await PgBouncer(before: Server.shared())
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
@Suite(.timeLimit(.minutes(10)))
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
