import CacheCore
import Foundation
import Groundwork
import Postgres
import PrivateDatabase
import TestSupport
import Testing

/// Loads that go out together: each has the answer that it would have had alone.
@Suite(.timeLimit(.minutes(10)))
struct BatchTests {
    private func bench(_ getters: [QueryGetter], prepare: Bool = true, connections: Int = 1) async throws -> Bench {
        let server = try await Server.shared()
        let bench = try Bench(
            server.url, loops: 1,
            settings: {
                $0.connections = connections
                $0.prepare = prepare
            }, getters)
        #expect(await bench.eventually { $0.connectionsReady == connections })
        return bench
    }

    /// Accounts 1, 2 and 3, by id.
    private func accounts(_ returns: QueryGetter.Returns, max: Int = 256) -> QueryGetter {
        let columns = returns == .value ? "owner" : "*"
        return QueryGetter(
            name: "g", sql: "select \(columns) from account where id = $1", returns: returns,
            batch: BatchQuery(sql: "select id, \(columns) from account where id = any($1); -- all of them", max: max))
    }

    /// What each key is answered when it is asked for by the group's own SQL.
    private func answersAlone(_ getter: QueryGetter, _ sql: String, _ keys: [String]) async throws -> [Answer] {
        let alone = QueryGetter(name: getter.name, sql: sql, returns: getter.returns)
        let bench = try await bench([alone])
        let answers = await bench.loadTogether("g", keys)
        await bench.stop()
        return answers
    }

    @Test(arguments: QueryGetter.Returns.allCases, [true, false])
    func `a batch is one query, and its answers are those of the group's own SQL`(
        returns: QueryGetter.Returns, prepare: Bool
    ) async throws {
        let getter = accounts(returns)
        let keys = ["1", "2", "3", "99", "-5"]
        let columns = returns == .value ? "owner" : "*"
        let expected = try await answersAlone(getter, "select \(columns) from account where id = $1", keys)
        let bench = try await bench([getter], prepare: prepare)
        #expect(await bench.loadTogether("g", keys) == expected)
        #expect(Array(expected[3...]) == Array(repeating: returns == .rows ? .text("[]") : .missing, count: 2))
        #expect(bench.database.status.loadsSent == 1)
        await bench.stop()
    }

    @Test(arguments: QueryGetter.Returns.allCases)
    func `the same key in other words has the same answer`(returns: QueryGetter.Returns) async throws {
        let keys = ["2", "002", " 2", "3", "+3", "4"]
        let columns = returns == .value ? "owner" : "*"
        let expected = try await answersAlone(
            accounts(returns), "select \(columns) from account where id = $1", keys)
        let any = accounts(returns)
        // This one gives a row for each word.
        let joining = QueryGetter(
            name: "g", sql: "select \(columns) from account where id = $1", returns: returns,
            batch: BatchQuery(sql: "select k, \(columns) from unnest($1::int[]) k join account on id = k"))
        for getter in [any, joining] {
            let bench = try await bench([getter])
            #expect(await bench.loadTogether("g", keys) == expected)
            await bench.stop()
        }
    }

    @Test func `bad keys among good ones fail alone, with the error that they have alone`() async throws {
        let bench = try await bench([accounts(.value)])
        #expect(await bench.described())
        let answers = await bench.loadTogether("g", ["1", "x", "2", "99999999999", "3", "4"])
        #expect(answers[0] == .text("Ada"))
        #expect(answers[1] == .error(.badKey, "g: the key is not valid as integer (SQLSTATE 22P02)"))
        #expect(answers[2].code == nil)
        #expect(answers[3] == .error(.badKey, "g: the key is not valid as integer (SQLSTATE 22003)"))
        #expect(answers[4] == .text("two\nlines"))
        #expect(answers[5] == .missing)
        #expect(bench.database.status.connectionsLost == 0)
        await bench.stop()
    }

    @Test func `keys of two parts, and of every kind of text`() async throws {
        let server = try await Server.shared()
        _ = try await server.psql("create table pair(a text, b text, v int generated always as identity)")
        let words = ["", "a", #"a"b"#, #"a\b"#, "{a,b}", "NULL", "null", "a,b", " a ", "é", "'", "a:b", "\n"]
        let getter = QueryGetter(
            name: "g", sql: "select a, b from pair where a = $1 and b = $2", returns: .row,
            batch: BatchQuery(
                sql: "select a, b, a, b from pair where (a, b) in (select * from unnest($1::text[], $2::text[]))"))
        for word in words {
            let quoted = word.replacing("'", with: "''")
            _ = try await server.psql("insert into pair values ('x', '\(quoted)'), ('\(quoted)', 'y')")
        }
        let bench = try await bench([getter])
        let keys = words.map { "x:\($0)" } + words.filter { $0 != "a:b" }.map { "\($0):y" } + ["x", "x:nowhere"]
        let answers = await bench.loadTogether("g", keys)
        for (key, answer) in zip(keys, answers.dropLast(2)) {
            let parts = key.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard case .row(_, let fields) = answer else {
                Issue.record("\(key): \(answer)")
                continue
            }
            #expect(fields == ["a": parts[0], "b": parts[1]])
        }
        #expect(answers.suffix(2).first?.code == .badKey)
        #expect(answers.last == .missing)
        #expect(bench.database.status.loadsSent == 1)
        await bench.stop()
    }

    @Test func `rows are in the query's order, several a key`() async throws {
        let getter = QueryGetter(
            name: "g", sql: "select name, role from member where team = $1 order by name desc", returns: .rows,
            batch: BatchQuery(sql: "select team, name, role from member where team = any($1) order by name desc"))
        let bench = try await bench([getter])
        let answers = await bench.loadTogether("g", ["blue", "red"])
        #expect(answers == [.text("[]"), .text(#"[{"name":"c","role":null},{"name":"a:b","role":"lead"}]"#)])
        #expect(bench.database.status.loadsSent == 1)
        await bench.stop()
    }

    @Test func `more rows than one are the error that they are alone`() async throws {
        let getter = QueryGetter(
            name: "g", sql: "select name from member where team = $1", returns: .value,
            batch: BatchQuery(sql: "select team, name from member where team = any($1)"))
        let bench = try await bench([getter])
        let answers = await bench.loadTogether("g", ["red", "blue"])
        #expect(
            answers == [
                .error(
                    .query,
                    "g: the query gives more than one row for this key; set `returns: rows`, or have it give one"),
                .missing,
            ])
        await bench.stop()
    }

    @Test func `more keys than a batch holds go out in several, and while they are under way others gather`()
        async throws
    {
        let getter = QueryGetter(
            name: "g", sql: "select $1::int * 2", returns: .value,
            batch: BatchQuery(sql: "select k, k * 2 from unnest($1::int[]) k", max: 10))
        let bench = try await bench([getter], connections: 2)
        let answers = await bench.loadTogether("g", (0..<95).map { "\($0)" })
        #expect(answers == (0..<95).map { .text("\($0 * 2)") })
        #expect(bench.database.status.loadsSent == 10)
        await bench.stop()
    }

    @Test func `a key alone is asked for by the group's own SQL`() async throws {
        let getter = QueryGetter(
            name: "g", sql: "select 'alone'", returns: .value, batch: BatchQuery(sql: "select 1"))
        let other = QueryGetter(
            name: "h", sql: "select 'alone' where $1::text is not null", returns: .value,
            batch: BatchQuery(sql: "select k, 'together' from unnest($1::text[]) k"))
        let bench = try await bench([getter, other])
        #expect(await bench.loadTogether("g", [""]) == [.text("alone")])
        #expect(await bench.loadTogether("h", ["1"]) == [.text("alone")])
        #expect(await bench.loadTogether("h", ["1", "2"]) == [.text("together"), .text("together")])
        await bench.stop()
    }

    /// A getter whose batches wait as long as `number` is held.
    private func doubling(waitingFor number: Int) -> QueryGetter {
        QueryGetter(
            name: "g", sql: "select $1::int * 2", returns: .value,
            batch: BatchQuery(sql: "select k, k * 2 from \(Hold.sql(number)) held, unnest($1::int[]) k"))
    }

    @Test func `a key of a batch that is invalidated on its way is delivered and not kept`() async throws {
        let held = try await Hold(11, on: Server.shared())
        let bench = try await bench([doubling(waitingFor: 11)])
        async let answers = bench.loadTogether("g", ["1", "2", "3"])
        #expect(try await held.isAwaited())
        let group = try #require(bench.groups["g"])
        Array("2".utf8).withUnsafeBytes { _ = group.invalidate(RawSpan(_unsafeBytes: $0)) }
        try await held.release()
        #expect(await answers == [.text("2"), .text("4"), .text("6")])
        #expect(group.statistics.fenced == 1)
        #expect(group.statistics.entries == 2)
        await bench.stop()
    }

    @Test func `more keys than may wait fail at once, and none is sent past the group's bound of queries`() async throws
    {
        let held = try await Hold(14, on: Server.shared())
        let getter = QueryGetter(
            name: "g", sql: "select $1::int * 2", returns: .value,
            batch: BatchQuery(
                sql: "select k, k * 2 from \(Hold.sql(14)) held, unnest($1::int[]) k", max: 10, queries: 2))
        let server = try await Server.shared()
        let bench = try Bench(
            server.url, loops: 1,
            settings: {
                $0.connections = 8
                $0.queuedLoads = 5
            }, [getter])
        #expect(await bench.eventually { $0.connectionsReady == 8 })
        async let answers = bench.loadTogether("g", (0..<100).map { "\($0)" })
        #expect(try await held.isAwaited())
        #expect(bench.database.status.loadsSent == 2)
        try await held.release()
        let all = await answers
        // Two queries under way, and as many keys as two queries hold wait.
        #expect(all.count { $0.code == nil } == 40)
        #expect(all.count { $0.code == .busy } == 60)
        await bench.stop()
    }

    @Test func `when a connection is lost, what it had and what waited for it goes to an idle one`() async throws {
        let held = try await Hold(15, on: Server.shared())
        let getter = QueryGetter(
            name: "g", sql: "select $1::int * 2", returns: .value,
            batch: BatchQuery(
                sql: "select k, k * 2 from \(Hold.sql(15)) held, unnest($1::int[]) k", max: 10, queries: 1))
        let bench = try await bench([getter], connections: 2)
        async let first = bench.loadTogether("g", ["1", "2", "3"])
        #expect(try await held.isAwaited())
        async let second = bench.loadTogether("g", ["4", "5"])
        #expect(await bench.eventually { $0.loadsQueued == 2 })
        #expect(try await held.killWaiting())
        #expect(await first == [.text("2"), .text("4"), .text("6")])
        #expect(await second == [.text("8"), .text("10")])
        #expect(bench.database.status.connectionsLost == 1)
        await bench.stop()
    }

    @Test func `a batch whose connection is killed is sent once more`() async throws {
        let held = try await Hold(12, on: Server.shared())
        let bench = try await bench([doubling(waitingFor: 12)])
        async let answers = bench.loadTogether("g", ["1", "2", "3"])
        #expect(try await held.killWaiting())
        #expect(await answers == [.text("2"), .text("4"), .text("6")])
        #expect(bench.database.status.connectionsLost == 1)
        #expect(bench.database.status.loadsSent == 2)
        await bench.stop()
    }

    @Test func `a schema change is healed for a batch`() async throws {
        let server = try await Server.shared()
        _ = try await server.psql("create table batched as select id from generate_series(0, 40) id")
        let getter = QueryGetter(
            name: "g", sql: "select * from batched where id = $1::int", returns: .row,
            batch: BatchQuery(sql: "select id, * from batched where id = any($1)"))
        let bench = try await bench([getter])
        let keys = (0..<40).map { "\($0)" }
        _ = await bench.loadTogether("g", keys)
        _ = try await server.psql("alter table batched add column more int default 1")
        for (index, answer) in await bench.loadTogether("g", keys).enumerated() {
            #expect(answer == .row(#"{"id":\#(index),"more":1}"#, ["id": "\(index)", "more": "1"]))
        }
        #expect(bench.schemaChanges.all == ["g"])
        await bench.stop()
    }

    @Test func `a batch that does not give what the group's own query gives is not used`() async throws {
        let getter = QueryGetter(
            name: "g", sql: "select owner from account where id = $1", returns: .value,
            batch: BatchQuery(sql: "select id, id from account where id = any($1)"))
        let bench = try await bench([getter])
        #expect(await bench.loadTogether("g", ["1", "3"]) == [.text("Ada"), .text("two\nlines")])
        #expect(bench.database.status.loadsSent == 2)
        await bench.stop()
    }

    @Test func `a batch that is refused because of one key is asked key by key`() async throws {
        // What is no table is no bad text to PostgreSQL, but an undefined table.
        let getter = QueryGetter(
            name: "g", sql: "select $1::regclass::text", returns: .value,
            batch: BatchQuery(sql: "select k, k::text from unnest($1::regclass[]) k"))
        let bench = try await bench([getter])
        let answers = await bench.loadTogether("g", ["account", "nowhere", "member"])
        #expect(answers[0] == .text("account"))
        #expect(answers[1].code == .query)
        #expect(answers[2] == .text("member"))
        await bench.stop()
    }

    @Test(
        arguments: [
            ("select id, owner from account", "g.batch: the query takes one array, $1, this one has 0 parameters"),
            (
                "select id from account where id = any($1)",
                "g.batch: the query gives 1 columns: the key's (1), then those of the row"
            ),
            (
                "select id, owner, owner from account where id = any($1)",
                "g.batch: the query gives 2 columns, a value is one; leave one, or set `returns: row`"
            ),
            (
                "select id, owner from nowhere where id = any($1)",
                "g.batch: line 1, column 23: relation \"nowhere\" does not exist [SQLSTATE 42P01]"
            ),
            ("select id, owner from account where id = $1", "g.batch: function unnest(integer) does not exist"),
            (
                "select id, id from account where id = any($1)",
                "g.batch: behind the key the query gives (id integer), the group's own query (owner text); "
                    + "give the key first, then the columns of the group's own query, in their order"
            ),
            (
                "delete from account where id = any($1) returning id, owner",
                "g.batch: line 1, column 1: a getter only reads; write a SELECT, not DELETE"
            ),
            (
                "select box(owner::text), owner from account where owner = any($1::text[])",
                "g.batch: operator does not exist: box = text"
            ),
            (
                "select b, owner from account, unnest($1::box[]) b",
                "g.batch: could not identify an equality operator for type box"
            ),
        ])
    func `a batch query that cannot work is told at the start`(sql: String, message: String) async throws {
        let server = try await Server.shared()
        let getter = QueryGetter(
            name: "g", sql: "select owner from account where id = $1", returns: .value, batch: BatchQuery(sql: sql))
        let bench = try Bench(server.url, loops: 1, [getter])
        let descriptions = try await bench.database.describe()
        let mistake = try #require(descriptions.first?.mistake)
        #expect(mistake.description.hasPrefix(message))
        #expect(mistake.part == .batch)
        await bench.stop()
    }
}
