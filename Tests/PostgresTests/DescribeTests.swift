import Postgres
import SidecarApp
import Testing

@Suite(.timeLimit(.minutes(2)))
struct DescribeTests {
    private func describe(_ getters: [QueryGetter]) async throws -> [GroupDescription] {
        let server = try await Server.shared()
        let bench = try Bench(server.url, getters)
        let descriptions = try await bench.database.describe()
        await bench.stop()
        return descriptions
    }

    @Test func `a query's parameters and columns are told by their types`() async throws {
        let descriptions = try await describe([
            QueryGetter(name: "row", sql: "select id, settings from account where id = $1", returns: .row),
            QueryGetter(name: "value", sql: "select role from member where team = $1 and name = $2", returns: .value),
            QueryGetter(name: "rows", sql: "select id from account", returns: .rows),
        ])
        #expect(descriptions.map(\.group) == ["row", "value", "rows"])
        #expect(descriptions.compactMap(\.mistake) == [])
        #expect(descriptions.map(\.parameters) == [["integer"], ["text", "text"], []])
        #expect(descriptions[0].columns.map(\.name) == ["id", "settings"])
        #expect(descriptions[0].columns.map(\.type) == ["integer", "jsonb"])
        #expect(descriptions[1].columns.map(\.type) == ["text"])
    }

    @Test(arguments: QueryGetter.Returns.allCases)
    func `wrong SQL is named with its group, line and column`(returns: QueryGetter.Returns) async throws {
        let descriptions = try await describe([
            QueryGetter(name: "good", sql: "select id from account where id = $1", returns: returns),
            QueryGetter(
                name: "bad", sql: "-- größer\nselect id,\n  'ä', ownr from account where id = $1;", returns: returns),
        ])
        #expect(descriptions[0].mistake == nil)
        let mistake = try #require(descriptions[1].mistake)
        #expect(mistake.group == "bad")
        #expect(mistake.sqlState == "42703")
        #expect(mistake.line == 3)
        #expect(mistake.column == 8)
        #expect(mistake.description.hasPrefix("bad: line 3, column 8: column \"ownr\" does not exist"))
    }

    @Test func `what the server would not find is found too`() async throws {
        let descriptions = try await describe([
            QueryGetter(name: "empty", sql: " -- nothing\n ;", returns: .row),
            QueryGetter(name: "several", sql: "select 1; select 2", returns: .row),
            QueryGetter(name: "copy", sql: "copy account to stdout", returns: .value),
            QueryGetter(name: "wide", sql: "select 1, 2", returns: .value),
            QueryGetter(name: "twice", sql: "select 1 as a, 2 as a", returns: .row),
        ])
        #expect(
            descriptions.compactMap(\.mistake?.description) == [
                "empty: the SQL is empty",
                "several: the SQL has several statements, a getter is one",
                "copy: COPY gives no rows to a getter; write a SELECT",
                "wide: the query gives 2 columns, a value is one",
                "twice: two columns are called \"a\"; name them apart with AS",
            ])
    }
}
