import CacheCore
import Foundation
import Groundwork
import PrivateDatabase
import TestSupport
import Testing

@testable import Postgres

/// A group's slowness is its own: what others ask meanwhile is answered as if it were not there.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct IsolationTests {
    private func getter(_ name: String, waitingFor number: Int) -> QueryGetter {
        QueryGetter(
            name: name, sql: "select case when $1 like 'slow%' then \(Hold.sql(number))::text || $1 else $1 end",
            returns: .value)
    }

    private func fast(_ name: String = "fast") -> QueryGetter {
        QueryGetter(name: name, sql: "select $1::text", returns: .value)
    }

    /// Asks for two hundred keys of a group, one after the other, from every loop in turn.
    private func expectAnswers(_ group: String, of bench: Bench, sourceLocation: SourceLocation = #_sourceLocation)
        async
    {
        for index in 0..<200 {
            let answer = await bench.load(group, "k\(index)", on: index % bench.loops.count)
            #expect(answer == .text("k\(index)"), sourceLocation: sourceLocation)
        }
    }

    @Test(arguments: [(1, 4), (2, 4), (2, 2), (3, 3), (1, 2)])
    func `slow loads leave another group's loads as they were`(loops: Int, connections: Int) async throws {
        let number = 100 + 10 * loops + connections
        let held = try await Hold(number, on: Server.shared())
        let bench = try Bench(
            try await Server.shared().url, loops: loops, loadTimeout: .seconds(80),
            settings: { $0.connections = connections },
            [getter("slow", waitingFor: number), fast()])
        #expect(await bench.eventually { $0.connectionsReady == connections })
        async let slow = withTaskGroup(of: Answer.self) { group in
            for index in 0..<6 { group.addTask { await bench.load("slow", "slow\(index)", on: index % loops) } }
            return await group.reduce(into: [Answer]()) { $0.append($1) }
        }
        #expect(try await held.isAwaited())
        await expectAnswers("fast", of: bench)
        #expect(bench.database.status.loadsSent <= 200 + connections - 1)
        try await held.release()
        #expect(await slow.filter { $0.code != nil } == [])
        #expect(bench.database.status.connectionsLost == 0)
        await bench.stop()
    }

    @Test(arguments: [1, 2])
    func `a lock on a table that was fast so far holds up no other group`(loops: Int) async throws {
        let server = try await Server.shared()
        _ = try await server.psql("create table locked_\(loops) as select 'v'::text as v")
        let locked = QueryGetter(
            name: "locked", sql: "select v || $1::text from locked_\(loops)", returns: .value)
        let bench = try Bench(server.url, loops: loops, [locked, fast()])
        #expect(await bench.eventually { $0.connectionsReady == 4 })
        bench.trust()
        _ = try await server.psql(
            "begin; lock table locked_\(loops) in access exclusive mode; prepare transaction 'lock \(loops)'")
        async let stuck = bench.loadTogether("locked", (0..<100).map { "\($0)" })
        #expect(await bench.eventually { $0.loadsSent > 0 })
        await expectAnswers("fast", of: bench)
        _ = try await server.psql("rollback prepared 'lock \(loops)'")
        #expect(await stuck == (0..<100).map { .text("v\($0)") })
        #expect(bench.database.status.connectionsLost == 0)
        await bench.stop()
    }

    @Test func `what was sent behind a query that turned slow goes to a connection that becomes idle`() async throws {
        let held = try await Hold(51, on: Server.shared())
        let other = try await Hold(52, on: Server.shared())
        let bench = try await Bench(
            Server.shared().url, loops: 1, settings: { $0.connections = 2 },
            [getter("slow", waitingFor: 51), getter("other", waitingFor: 52), fast()])
        #expect(await bench.eventually { $0.connectionsReady == 2 })
        bench.trust()
        let answers = Log()
        let asked = [("slow", "slow"), ("other", "slow")] + (0..<10).map { ("fast", "\($0)") }
        async let all = bench.loadTogether(asked) { answers.append($0.text) }
        #expect(try await held.isAwaited())
        #expect(try await other.isAwaited())
        // The fast ones were short enough to stand behind the others, of which nobody knew.
        #expect(bench.database.status.loadsSent == 12)
        #expect(answers.all == [])
        try await other.release()
        let isAnswered = await eventually { answers.all.count == 11 }
        #expect(isAnswered)
        try await held.release()
        let texts = await all.map(\.text)
        #expect(Array(texts.dropFirst(2)) == (0..<10).map { "\($0)" })
        #expect(bench.database.status.connectionsLost == 0)
        // What was taken back was sent once more, and what the first connection answered then was nobody's.
        #expect((13...22).contains(bench.database.status.loadsSent))
        await expectAnswers("fast", of: bench)
        await bench.stop()
    }

    @Test
    func `a group whose only query stands behind another's that turned slow is not taken to hold that connection`()
        async throws
    {
        let first = try await Hold(55, on: Server.shared())
        let held = try await Hold(53, on: Server.shared())
        let other = try await Hold(54, on: Server.shared())
        let bench = try await Bench(
            Server.shared().url, loops: 1, settings: { $0.connections = 2 },
            [getter("first", waitingFor: 55), getter("slow", waitingFor: 53), getter("other", waitingFor: 54)])
        #expect(await bench.eventually { $0.connectionsReady == 2 })
        bench.trust()
        // A whole segment is on the first connection when the others are sent, both to the second.
        let asked = (0..<16).map { ("first", "slow\($0)") } + [("slow", "slow"), ("other", "slow")]
        async let all = bench.loadTogether(asked)
        #expect(try await first.isAwaited())
        #expect(try await held.isAwaited())
        #expect(bench.database.status.loadsSent == 18)
        try await first.release()
        #expect(try await other.isAwaited())
        try await other.release()
        try await held.release()
        #expect(await all.filter { $0.code != nil } == [])
        #expect(bench.database.status.loadsSent == 19)
        await bench.stop()
    }

    @Test func `a query that is sent once more holds up nothing behind it when it is slow then`() async throws {
        let server = try await Server.shared()
        _ = try await server.psql("create table widened as select 'v'::text as v")
        let held = try await Hold(38, on: server)
        let widened = QueryGetter(
            name: "widened",
            sql: "select w.*, case when $1 like 'slow%' then \(Hold.sql(38))::text end as held from widened w",
            returns: .row)
        let bench = try Bench(
            server.url, loops: 1, loadTimeout: .seconds(3), settings: { $0.connections = 1 }, [widened, fast()])
        #expect(await bench.eventually { $0.connectionsReady == 1 })
        bench.trust("fast")
        _ = await bench.load("widened", "a")
        _ = try await server.psql("alter table widened add column w int")
        // What the server has prepared is refused, and sent anew. Nobody knows how long that takes, so the other one waits
        // where any connection can take it.
        let answers = await bench.loadTogether([("widened", "slow"), ("fast", "a")])
        #expect(
            answers == [
                .error(.timedOut, "widened: the query ran longer than load_timeout (3.0 seconds) and was cancelled"),
                .error(
                    .busy,
                    "fast: queued behind slow queries of widened for as long as load_timeout allows (3.0 seconds)"),
            ])
        #expect(bench.database.status.loadsRetried == 1)
        try await held.release()
        await bench.stop()
    }

    @Test func `slow keys of a group hold up its own fast ones only when they hold all that it may have`() async throws
    {
        let held = try await Hold(31, on: Server.shared())
        let bench = try await Bench(Server.shared().url, loops: 1, [getter("mixed", waitingFor: 31), fast()])
        #expect(await bench.eventually { $0.connectionsReady == 4 })
        bench.trust()
        async let one = bench.load("mixed", "slow1")
        #expect(try await held.isAwaited())
        await expectAnswers("mixed", of: bench)
        async let two = bench.load("mixed", "slow2")
        #expect(await bench.eventually { $0.loadsSent == 202 })
        await expectAnswers("mixed", of: bench)
        async let three = bench.load("mixed", "slow3")
        async let four = bench.load("mixed", "slow4")
        #expect(await bench.eventually { $0.loadsQueued > 0 })
        await expectAnswers("fast", of: bench)
        try await held.release()
        #expect(await [one, two, three, four] == (1...4).map { .text("slow\($0)") })
        await bench.stop()
    }

    @Test func `a load that waited for others until its time was over says for whom`() async throws {
        let held = try await Hold(32, on: Server.shared())
        let bench = try Bench(
            try await Server.shared().url, loops: 1, loadTimeout: .seconds(3), settings: { $0.connections = 1 },
            [getter("report", waitingFor: 32), fast()])
        #expect(await bench.eventually { $0.connectionsReady == 1 })
        async let report = bench.load("report", "slow")
        #expect(try await held.isAwaited())
        #expect(
            await bench.load("fast", "a")
                == .error(
                    .busy,
                    "fast: queued behind slow queries of report for as long as load_timeout allows (3.0 seconds)"))
        #expect(
            await report
                == .error(.timedOut, "report: the query ran longer than load_timeout (3.0 seconds) and was cancelled"))
        #expect(await bench.load("fast", "b") == .text("b"))
        #expect(bench.database.status.connectionsLost == 0)
        try await held.release()
        await bench.stop()
    }

    @Test func `what waits on one loop is fetched by another whose connection becomes free`() async throws {
        let first = try await Hold(33, on: Server.shared())
        let second = try await Hold(34, on: Server.shared())
        let bench = try Bench(
            try await Server.shared().url, loops: 2, settings: { $0.connections = 2 },
            [getter("one", waitingFor: 33), getter("two", waitingFor: 34), fast()])
        #expect(await bench.eventually { $0.connectionsReady == 2 })
        async let one = bench.load("one", "slow", on: 0)
        #expect(try await first.isAwaited())
        // The last connection there is: the group has none yet.
        async let two = bench.load("two", "slow", on: 1)
        #expect(try await second.isAwaited())
        async let waiting = bench.load("fast", "a", on: 0)
        #expect(await bench.eventually { $0.loadsQueued == 1 })
        try await second.release()
        #expect(await waiting == .text("a"))
        try await first.release()
        #expect(await [one, two] == [.text("slow"), .text("slow")])
        await bench.stop()
    }

    // MARK: Within one connection

    private func alone(_ getters: [QueryGetter], loadTimeout: Duration = .seconds(120)) async throws -> Bench {
        let bench = try Bench(
            try await Server.shared().url, loops: 1, loadTimeout: loadTimeout, settings: { $0.connections = 1 }, getters
        )
        #expect(await bench.eventually { $0.connectionsReady == 1 })
        bench.trust()
        return bench
    }

    @Test func `an answer leaves the server when its own command ends, not with its segment`() async throws {
        let held = try await Hold(35, on: Server.shared())
        let bench = try await alone([getter("g", waitingFor: 35)])
        let answered = Log()
        async let last = bench.load("g", "nobody asks for this one twice")
        _ = await last
        bench.trust()
        async let all = bench.loadTogether((0..<15).map { ("g", "\($0)") } + [("g", "slow")]) {
            answered.append($0.text)
        }
        #expect(try await held.isAwaited())
        #expect(await eventually { answered.all.count == 15 })
        try await held.release()
        #expect(await all.count == 16)
        #expect(bench.database.status.loadsSent == 17)
        await bench.stop()
    }

    @Test func `a connection whose loads each take their time in turn is not taken as hung`() async throws {
        // Together they take three times as long as one may.
        let slow = QueryGetter(name: "g", sql: "select pg_sleep(0.6)::text || $1", returns: .value)
        let bench = try await alone([slow], loadTimeout: .seconds(2))
        let answers = await bench.loadTogether("g", (0..<10).map { "\($0)" })
        #expect(answers == (0..<10).map { .text("\($0)") })
        #expect(bench.database.status.loadsSent == 10)
        #expect(bench.database.status.connectionsLost == 0)
        await bench.stop()
    }

    @Test func `a query that had its time is cancelled, and the connection goes on with those behind it`() async throws
    {
        let held = try await Hold(36, on: Server.shared())
        let bench = try await alone([getter("g", waitingFor: 36)], loadTimeout: .seconds(3))
        let answers = await bench.loadTogether("g", ["a", "slow", "b", "c"])
        #expect(
            answers == [
                .text("a"),
                .error(.timedOut, "g: the query ran longer than load_timeout (3.0 seconds) and was cancelled"),
                .text("b"), .text("c"),
            ])
        #expect(bench.database.status.connectionsLost == 0)
        try await held.release()
        await bench.stop()
    }

    @Test func `a statement that was cancelled while it was prepared is prepared again`() async throws {
        let server = try await Server.shared()
        _ = try await server.psql("create table unprepared as select 'v'::text as v")
        let warnings = Log()
        let locked = QueryGetter(name: "g", sql: "select v || $1::text from unprepared", returns: .value)
        let bench = try Bench(
            server.url, loops: 1, loadTimeout: .seconds(3), warnings: warnings, settings: { $0.connections = 1 },
            [locked])
        #expect(await bench.eventually { $0.connectionsReady == 1 })
        // Whoever analyses the query waits for the lock.
        _ = try await server.psql(
            "begin; lock table unprepared in access exclusive mode; prepare transaction 'unprepared'")
        #expect(
            await bench.load("g", "a")
                == .error(.timedOut, "g: the query ran longer than load_timeout (3.0 seconds) and was cancelled"))
        _ = try await server.psql("rollback prepared 'unprepared'")
        #expect(await bench.load("g", "b") == .text("vb"))
        #expect(bench.database.status.loadsRetried == 0)
        #expect(warnings.all == [])
        await bench.stop()
    }

    @Test func `what the server still runs when the database is stopped is cancelled there`() async throws {
        let held = try await Hold(37, on: Server.shared())
        let bench = try await alone([getter("g", waitingFor: 37)])
        async let answer = bench.load("g", "slow")
        #expect(try await held.isAwaited())
        await bench.database.stop()
        #expect(await answer == .error(.unavailable, "g: the database connections are closed"))
        #expect(try await eventually(within: .seconds(5)) { try await !held.isAwaitedNow() })
        try await held.release()
        await bench.stop()
    }
}
