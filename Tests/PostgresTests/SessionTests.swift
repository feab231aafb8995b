import CacheCore
import Groundwork
import PrivateDatabase
import TestSupport
import Testing

@testable import Postgres

/// What may happen to statements, sessions and waiting loads on a server that is well.
@Suite(.timeLimit(.minutes(10)))
struct SessionTests {
    private let echo = QueryGetter(name: "echo", sql: "select $1::text", returns: .value)

    private func loadMany(_ bench: Bench, _ group: String, _ keys: Range<Int>) async -> [Int: Answer] {
        await withTaskGroup(of: (Int, Answer).self) { tasks in
            for key in keys { tasks.addTask { (key, await bench.load(group, "\(key)", on: key % 2)) } }
            return await tasks.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
    }

    @Test func `a column added while statements are prepared is healed and empties the group`() async throws {
        let server = try await Server.shared()
        _ = try await server.psql("create table grows as select id, 'n' || id as name from generate_series(1, 200) id")
        let getter = QueryGetter(name: "grows", sql: "select * from grows where id = $1::int", returns: .row)
        let bench = try Bench(server.url, [getter])
        for (key, answer) in await loadMany(bench, "grows", 1..<201) {
            #expect(answer == .row(#"{"id":\#(key),"name":"n\#(key)"}"#, ["id": "\(key)", "name": "n\(key)"]))
        }
        _ = try await server.psql("alter table grows add column size int default 7")
        for (key, answer) in await loadMany(bench, "grows", 1..<201) {
            let fields = ["id": "\(key)", "name": "n\(key)", "size": "7"]
            #expect(answer == .row(#"{"id":\#(key),"name":"n\#(key)","size":7}"#, fields))
        }
        #expect(Set(bench.schemaChanges.all) == ["grows"])
        #expect(bench.schemaChanges.all.count <= 4)
        #expect(bench.database.status.degradedGroups == [])
        let statements = "select count(*) from pg_prepared_statements"
        #expect(try await server.psql(statements).hasPrefix("0"))
        await bench.stop()
    }

    @Test func `a column dropped degrades its group until it is there again`() async throws {
        let server = try await Server.shared()
        _ = try await server.psql("create table shrinks as select 1 as id, 'x'::text as name")
        let getter = QueryGetter(name: "shrinks", sql: "select name from shrinks where id = $1", returns: .value)
        let bench = try Bench(server.url, [getter, echo])
        #expect(await bench.load("shrinks", "1") == .text("x"))
        _ = try await server.psql("alter table shrinks drop column name")
        let refused = Answer.error(
            .query, "shrinks: the database refused the query (SQLSTATE 42703, undefined column)")
        for loop in [0, 1, 0, 1] { #expect(await bench.load("shrinks", "1", on: loop) == refused) }
        #expect(bench.database.status.degradedGroups == ["shrinks"])
        #expect(await bench.load("echo", "a") == .text("a"))
        _ = try await server.psql("alter table shrinks add column name text default 'y'")
        for loop in [0, 1, 0, 1] { #expect(await bench.load("shrinks", "1", on: loop) == .text("y")) }
        #expect(bench.database.status.degradedGroups == [])
        #expect(bench.database.status.connectionsLost == 0)
        await bench.stop()
    }

    @Test func `a stale statement is dropped on the server, whatever its group is called`() async throws {
        let server = try await Server.shared()
        _ = try await server.psql("create table renewed as select 1 as id")
        let getter = QueryGetter(name: "Renewed", sql: "select * from renewed where id = $1::int", returns: .row)
        let count = QueryGetter(
            name: "count",
            sql: "select count(*) from pg_prepared_statements where name like 'pgs_Renewed%' and $1 = ''",
            returns: .value)
        let bench = try Bench(server.url, loops: 1, settings: { $0.connections = 1 }, [getter, count])
        for round in 0..<3 {
            #expect(await bench.load("Renewed", "1").code == nil)
            _ = try await server.psql("alter table renewed add column more\(round) int")
        }
        #expect(await bench.load("Renewed", "1").code == nil)
        #expect(await bench.load("count", "") == .text("1"))
        await bench.stop()
    }

    @Test func `statements that a pooler or DISCARD dropped are prepared again`() async throws {
        let server = try await Server.shared()
        _ = try await server.psql(
            """
            create function forget() returns text language plpgsql as
            $$ begin execute 'deallocate all'; return 'gone'; end $$
            """)
        let forget = QueryGetter(name: "forget", sql: "select forget()", returns: .value)
        let bench = try Bench(server.url, loops: 1, settings: { $0.connections = 1 }, [echo, forget])
        #expect(await bench.load("echo", "a") == .text("a"))
        #expect(await bench.load("forget", "") == .text("gone"))
        #expect(await bench.load("echo", "b") == .text("b"))
        #expect(bench.database.status.loadsRetried == 1)
        #expect(bench.schemaChanges.all == [])
        await bench.stop()
    }

    @Test func `a statement of another's that has the same name is left alone`() async throws {
        let server = try await Server.shared()
        let name = echo.statement.name(generation: 1)
        _ = try await server.psql(
            """
            create function squat() returns text language plpgsql as
            $$ begin execute 'prepare \(name) as select 1'; return 'mine'; end $$
            """)
        let squat = QueryGetter(name: "squat", sql: "select squat()", returns: .value)
        let bench = try Bench(server.url, loops: 1, settings: { $0.connections = 1 }, [echo, squat])
        #expect(await bench.load("squat", "") == .text("mine"))
        #expect(await bench.load("echo", "a") == .text("a"))
        #expect(await bench.load("echo", "b") == .text("b"))
        #expect(bench.database.status.loadsRetried == 1)
        await bench.stop()
    }

    @Test func `a statement timeout reaches the caller, and the connection goes on`() async throws {
        let server = try await Server.shared()
        _ = try await server.psql("create role hasty login; alter role hasty set statement_timeout = '100ms'")
        let slow = QueryGetter(name: "slow", sql: "select pg_sleep($1)::text", returns: .value)
        let bench = try Bench(server.url.replacing("user=postgres", with: "user=hasty"), [slow, echo])
        #expect(
            await bench.load("slow", "30")
                == .error(.timedOut, "slow: the database cancelled the query (its statement timeout)"))
        #expect(await bench.load("echo", "a") == .text("a"))
        #expect(bench.database.status.connectionsLost == 0)
        await bench.stop()
    }

    @Test(arguments: [true, false])
    func `a COPY is never sent, so it costs nobody a connection`(prepare: Bool) async throws {
        let server = try await Server.shared()
        let out = QueryGetter(name: "out", sql: "copy account to stdout", returns: .value)
        let into = QueryGetter(name: "into", sql: "COPY account FROM stdin", returns: .value)
        let bench = try Bench(server.url, settings: { $0.prepare = prepare }, [out, into, echo])
        for name in ["out", "into"] {
            #expect(
                await bench.load(name, "") == .error(.query, "\(name): COPY gives no rows to a getter; write a SELECT"))
        }
        #expect(await bench.load("echo", "a") == .text("a"))
        #expect(bench.database.status.loadsSent == 1)
        #expect(bench.database.status.connectionsLost == 0)
        await bench.stop()
    }

    @Test func `a connection that a large result swelled is replaced, and its next loads wait for the new one`()
        async throws
    {
        let server = try await Server.shared()
        let text = QueryGetter(name: "text", sql: "select repeat('x', $1::int)", returns: .value)
        let bench = try Bench(server.url, loops: 1, settings: { $0.connections = 1 }, [text])
        #expect(await bench.load("text", "1000000") == .text(String(repeating: "x", count: 1_000_000)))
        #expect(bench.database.status.connectionsMade == 1)
        let large = ["20000000", "20000001", "20000002"]
        let answers = await bench.loadTogether("text", large + ["3"])
        #expect(answers == (large + ["3"]).map { .text(String(repeating: "x", count: Int($0) ?? 0)) })
        #expect(await bench.load("text", "4") == .text("xxxx"))
        // As their length is unknown, each of the three had the connection for itself.
        #expect(bench.database.status.connectionsMade == 4)
        #expect(bench.database.status.connectionsLost == 0)
        #expect(bench.database.status.loadsRetried == 0)
        await bench.stop()
    }

    @Test func `a connection that a large query swelled is replaced`() async throws {
        let length = QueryGetter(name: "length", sql: "select length($1)", returns: .value)
        let bench = try Bench(
            try await Server.shared().url, loops: 1, settings: { $0.connections = 1 }, [length])
        #expect(await bench.load("length", String(repeating: "k", count: 1_000_000)) == .text("1000000"))
        #expect(await bench.load("length", "k") == .text("1"))
        #expect(bench.database.status.connectionsMade == 1)
        #expect(await bench.load("length", String(repeating: "k", count: 20_000_000)) == .text("20000000"))
        #expect(await bench.load("length", "kk") == .text("2"))
        #expect(bench.database.status.connectionsMade == 2)
        #expect(bench.database.status.connectionsLost == 0)
        await bench.stop()
    }

    @Test func `a session that is terminated has its loads sent once more`() async throws {
        let server = try await Server.shared()
        let held = try await Hold(3, on: server)
        let bench = try Bench(server.url, loops: 1, settings: { $0.connections = 1 }, [slow(waitingFor: 3)])
        #expect(await bench.eventually { $0.connectionsReady == 1 })
        bench.trust()
        async let answers = withTaskGroup(of: Answer.self) { group in
            for key in ["a", "b", "c"] { group.addTask { await bench.load("slow", key) } }
            return await group.reduce(into: [String]()) { if case .text(let text) = $1 { $0.append(text) } }.sorted()
        }
        #expect(await bench.eventually { $0.loadsSent == 3 })
        #expect(try await held.killWaiting())
        #expect(await answers == ["a", "b", "c"])
        #expect(bench.database.status.connectionsLost == 1)
        await bench.stop()
    }

    @Test func `a loop without a connection of its own uses another's`() async throws {
        let server = try await Server.shared()
        let bench = try Bench(server.url, loops: 3, settings: { $0.connections = 1 }, [echo])
        for loop in 0..<3 { #expect(await bench.load("echo", "\(loop)", on: loop) == .text("\(loop)")) }
        #expect(bench.database.status.connectionsMade == 1)
        await bench.stop()
    }

    /// A getter that answers with its key, as soon as nobody holds `number`.
    private func slow(waitingFor number: Int) -> QueryGetter {
        QueryGetter(name: "slow", sql: "select \(Hold.sql(number))::text || $1", returns: .value)
    }

    @Test func `loads beyond the queue's bound fail at once as busy`() async throws {
        let server = try await Server.shared()
        let held = try await Hold(1, on: server)
        let bench = try Bench(
            server.url, loops: 1,
            settings: {
                $0.connections = 1
                $0.pipelineDepth = 1
                $0.queuedLoads = 2
            }, [slow(waitingFor: 1)])
        #expect(await bench.eventually { $0.connectionsReady == 1 })
        async let first = bench.load("slow", "a")
        #expect(await bench.eventually { $0.loadsSent == 1 })
        async let second = bench.load("slow", "b")
        async let third = bench.load("slow", "c")
        #expect(await bench.eventually { $0.loadsQueued == 2 })
        #expect(await bench.load("slow", "d") == .error(.busy, "slow: too many loads are waiting for the database"))
        try await held.release()
        #expect(await [first, second, third] == [.text("a"), .text("b"), .text("c")])
        #expect(bench.database.status.loadsQueued == 0)
        await bench.stop()
    }

    @Test func `a waiting load that nobody wants any more is not sent`() async throws {
        let server = try await Server.shared()
        let held = try await Hold(2, on: server)
        let bench = try Bench(
            server.url, loops: 1,
            settings: {
                $0.connections = 1
                $0.pipelineDepth = 1
            }, [slow(waitingFor: 2)])
        async let first = bench.load("slow", "a")
        #expect(await bench.eventually { $0.loadsSent == 1 })
        async let second = bench.load("slow", "b", wait: .zero)
        #expect(await bench.eventually { $0.loadsQueued == 1 })
        try await held.release()
        #expect(await second.code == .abandoned)
        #expect(await first == .text("a"))
        #expect(bench.database.status.loadsSent == 1)
        await bench.stop()
    }

    @Test func `stopping fails what waits and what is in flight`() async throws {
        let server = try await Server.shared()
        let slow = QueryGetter(name: "slow", sql: "select pg_sleep(30)::text || $1", returns: .value)
        let bench = try Bench(server.url, [slow])
        async let answer = bench.load("slow", "a")
        #expect(await bench.eventually { $0.loadsSent == 1 })
        await bench.database.stop()
        #expect(await answer == .error(.unavailable, "slow: the database connections are closed"))
        #expect(await bench.load("slow", "b") == .error(.unavailable, "slow: the database connections are closed"))
        await bench.stop()
    }
}
