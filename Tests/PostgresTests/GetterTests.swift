import CacheCore
import Foundation
import Postgres
import PrivateDatabase
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10)))
struct GetterTests {
    private func answer(
        _ sql: String, _ returns: QueryGetter.Returns, _ key: String, prepare: Bool = true
    ) async throws -> Answer {
        let server = try await Server.shared()
        let getter = QueryGetter(name: "g", sql: sql, returns: returns)
        let bench = try Bench(server.url, settings: { $0.prepare = prepare }, [getter])
        let answer = await bench.load("g", key)
        await bench.stop()
        return answer
    }

    @Test func `a row is the JSON of row_to_json and its columns without the null ones`() async throws {
        let answer = try await answer("select * from account where id = $1", .row, "1")
        #expect(
            answer
                == .row(
                    #"{"id":1,"owner":"Ada","balance":10.50,"settings":{"theme": "dark"},"note":null}"#,
                    ["id": "1", "owner": "Ada", "balance": "10.50", "settings": #"{"theme": "dark"}"#]))
    }

    @Test func `text of any language and empty text come through`() async throws {
        let answer = try await answer("select owner, note from account where id = $1", .row, "2")
        #expect(
            answer
                == .row(#"{"owner":"Zoë \"Z\" \\ 😀","note":""}"#, ["owner": #"Zoë "Z" \ 😀"#, "note": ""]))
    }

    @Test func `a row that is not there is missing`() async throws {
        #expect(try await answer("select * from account where id = $1", .row, "99") == .missing)
    }

    @Test func `more than one row is an error for a group of one row`() async throws {
        let answer = try await answer("select * from account where id > $1", .row, "0")
        #expect(
            answer
                == .error(
                    .query,
                    "g: the query gives more than one row for this key; set `returns: rows`, or have it give one"))
    }

    @Test func `a value is the one column's text`() async throws {
        #expect(try await answer("select owner from account where id = $1", .value, "3") == .text("two\nlines"))
        #expect(try await answer("select note from account where id = $1", .value, "2") == .text(""))
    }

    @Test func `a null value and a value without a row are missing`() async throws {
        #expect(try await answer("select note from account where id = $1", .value, "1") == .missing)
        #expect(try await answer("select note from account where id = $1", .value, "99") == .missing)
    }

    @Test func `two columns are an error for a value`() async throws {
        let answer = try await answer("select id, note from account where id = $1", .value, "1")
        #expect(
            answer == .error(.query, "g: the query gives 2 columns, a value is one; leave one, or set `returns: row`"))
    }

    @Test func `rows are a JSON array in the query's order`() async throws {
        let answer = try await answer("select id from account where id > $1 order by id desc", .rows, "1")
        #expect(answer == .text(#"[{"id":3},{"id":2}]"#))
    }

    @Test func `no rows are an empty array, which is an answer like any other`() async throws {
        #expect(try await answer("select id from account where id > $1", .rows, "99") == .text("[]"))
    }

    @Test func `a query without parameters is asked for under its group's name alone`() async throws {
        #expect(try await answer("select count(*) from account", .value, "") == .text("3"))
        let answer = try await answer("select count(*) from account", .value, "1")
        #expect(answer == .error(.badKey, "g: this group has one value and takes no key"))
    }

    @Test func `of two key parts the last may hold a separator`() async throws {
        let sql = "select role from member where team = $1 and name = $2"
        #expect(try await answer(sql, .value, "red:a:b") == .text("lead"))
        #expect(
            try await answer(sql, .value, "red")
                == .error(.badKey, "g: a key has 2 parts (separated by :), this one has 1"))
    }

    @Test(arguments: QueryGetter.Returns.allCases)
    func `a semicolon and comments at the end do not break the query`(returns: QueryGetter.Returns) async throws {
        let sql = "select id -- the key; not more\nfrom account where id = $1; -- done /*\n ; /* $7 ; */ -- end"
        let answer = try await answer(sql, returns, "1")
        switch returns {
        case .row: #expect(answer == .row(#"{"id":1}"#, ["id": "1"]))
        case .value: #expect(answer == .text("1"))
        case .rows: #expect(answer == .text(#"[{"id":1}]"#))
        }
    }

    @Test func `a comment at the very end without a line end does not swallow the wrapping`() async throws {
        #expect(
            try await answer("select id from account where id = $1 -- by id", .row, "1")
                == .row(#"{"id":1}"#, ["id": "1"]))
    }

    @Test(arguments: [true, false])
    func `SQL in a key is a text like any other`(prepare: Bool) async throws {
        let key = "'; drop table account; --"
        #expect(try await answer("select $1::text", .value, key, prepare: prepare) == .text(key))
        #expect(try await answer("select count(*) from account", .value, "", prepare: prepare) == .text("3"))
    }

    @Test(arguments: [true, false])
    func `a key of the wrong type is the client's mistake and does no harm`(prepare: Bool) async throws {
        let server = try await Server.shared()
        let getters = [
            QueryGetter(name: "one", sql: "select id from account where id = $1", returns: .value),
            QueryGetter(
                name: "two", sql: "select id from account where owner = $1 and id = $2::int", returns: .value),
        ]
        let bench = try Bench(server.url, loops: 1, settings: { $0.prepare = prepare }, getters)
        #expect(await bench.described())
        #expect(
            await bench.load("one", "x")
                == .error(.badKey, "one: the key is not valid as integer (SQLSTATE 22P02)"))
        #expect(
            await bench.load("one", "99999999999")
                == .error(.badKey, "one: the key is not valid as integer (SQLSTATE 22003)"))
        #expect(
            await bench.load("two", "Ada:x")
                == .error(.badKey, "two: part 2 of the key is not valid as integer (SQLSTATE 22P02)"))
        #expect(await bench.load("one", "1") == .text("1"))
        #expect(bench.database.status.connectionsLost == 0)
        await bench.stop()
    }

    @Test func `a zero byte and bytes that are not UTF-8 are the client's mistake`() async throws {
        let server = try await Server.shared()
        let bench = try Bench(server.url, [QueryGetter(name: "g", sql: "select $1::text", returns: .value)])
        #expect(await bench.described())
        #expect(await bench.load("g", Key([65, 0, 66])) == .error(.badKey, "g: a key cannot hold a zero byte"))
        #expect(
            await bench.load("g", Key([0xff, 0xfe]))
                == .error(.badKey, "g: the key is not valid as text (SQLSTATE 22021)"))
        #expect(await bench.load("g", "é") == .text("é"))
        await bench.stop()
    }

    @Test func `one bad key among many in a pipeline fails alone`() async throws {
        let server = try await Server.shared()
        let getter = QueryGetter(name: "g", sql: "select $1::int * 2", returns: .value)
        let bench = try Bench(server.url, loops: 1, settings: { $0.connections = 1 }, [getter])
        let answers = await withTaskGroup(of: (Int, Answer).self) { group in
            for index in 0..<200 {
                let key = index % 10 == 3 ? "x\(index)" : "\(index)"
                group.addTask { (index, await bench.load("g", key)) }
            }
            return await group.reduce(into: [Int: Answer]()) { $0[$1.0] = $1.1 }
        }
        for index in 0..<200 {
            if index % 10 == 3 {
                #expect(answers[index]?.code == .badKey)
            } else {
                #expect(answers[index] == .text("\(index * 2)"))
            }
        }
        await bench.stop()
    }

    @Test func `a missing privilege is told by its code, without SQL`() async throws {
        let server = try await Server.shared()
        _ = try await server.psql("create role poor login; create table secret(id int)")
        let getter = QueryGetter(name: "g", sql: "select id from secret where id = $1", returns: .row)
        let bench = try Bench(server.url.replacing("user=postgres", with: "user=poor"), [getter])
        #expect(
            await bench.load("g", "1")
                == .error(.query, "g: the database refused the query (SQLSTATE 42501, insufficient privilege)"))
        await bench.stop()
    }

    @Test func `each key costs one query`() async throws {
        let server = try await Server.shared()
        let getter = QueryGetter(name: "g", sql: "select $1::int as counted_once", returns: .value)
        let bench = try Bench(server.url, [getter])
        await withTaskGroup(of: Void.self) { group in
            for index in 0..<500 { group.addTask { _ = await bench.load("g", "\(index)", on: index % 2) } }
        }
        let calls = try await server.psql(
            """
            select sum(calls) from pg_stat_statements where query like '%counted_once%' and query not like '%stat%' \
            and query not like 'explain %'
            """)
        #expect(calls.trimmingCharacters(in: .whitespacesAndNewlines) == "500")
        #expect(bench.database.status.loadsSent == 500)
        await bench.stop()
    }

    @Test func `a megabyte comes through, up and down`() async throws {
        let text = String(repeating: "0123456789abcdef", count: 1 << 16)
        #expect(try await answer("select $1::text || $1", .value, text) == .text(text + text))
    }
}
