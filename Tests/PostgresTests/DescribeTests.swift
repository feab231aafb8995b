import CacheCore
import Postgres
import PrivateDatabase
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10)))
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
            QueryGetter(name: "several", sql: "select 1;\n select 2", returns: .row),
            QueryGetter(name: "copy", sql: "copy account to stdout", returns: .value),
            QueryGetter(name: "wide", sql: "select 1, 2", returns: .value),
            QueryGetter(name: "twice", sql: "select 1 as a, 2 as a", returns: .row),
            QueryGetter(name: "narrow", sql: "select from account where id = $1", returns: .row),
            QueryGetter(name: "narrower", sql: "select from account where id = $1", returns: .rows),
        ])
        #expect(
            descriptions.compactMap(\.mistake?.description) == [
                "empty: the SQL is empty",
                "several: line 2, column 2: the SQL has several statements, a getter is one",
                "copy: line 1, column 1: COPY gives no rows to a getter; write a SELECT",
                "wide: the query gives 2 columns, a value is one; leave one, or set `returns: row`",
                "twice: two columns are called \"a\"; name them apart with AS",
                "narrow: the query gives no columns",
                "narrower: the query gives no columns",
            ])
    }

    @Test(arguments: QueryGetter.Returns.allCases)
    func `what writes or is no query is refused at the start, and told to clients without a server`(
        returns: QueryGetter.Returns
    ) async throws {
        let statements = [
            "delete from account returning id", "insert into account(id) values (9) returning id",
            "update account set id = id returning id", "begin", "listen x", "set timezone = 'UTC'", "do $$begin end$$",
            "call nothing()", "show server_version", "explain select 1", "truncate account", "(delete from account)",
        ]
        let getters = statements.enumerated().map {
            QueryGetter(name: "g\($0)", sql: "-- first\n \($1)", returns: returns)
        }
        let server = try await Server.shared()
        let bench = try Bench(server.url, getters)
        for (index, description) in try await bench.database.describe().enumerated() {
            let word = statements[index].split { " (".contains($0) }[0].uppercased()
            let mistake = try #require(description.mistake)
            #expect(mistake.message == "a getter only reads; write a SELECT, not \(word)")
            #expect(mistake.line == 2 && mistake.column == 2)
            #expect(
                await bench.load("g\(index)", "")
                    == .error(.query, "g\(index): a getter only reads; write a SELECT, not \(word)"))
        }
        await bench.stop()
    }

    @Test(arguments: QueryGetter.Returns.allCases)
    func `a query that writes somewhere inside is refused at the start`(returns: QueryGetter.Returns) async throws {
        let hint = "a getter only reads: a SELECT without INTO, INSERT, UPDATE, DELETE or MERGE"
        let queries = [
            ("with gone as (delete from account where id = $1 returning id) select id from gone", 6),
            ("with few as (select 1) delete from account where id = $1 returning id", 24),
            ("select id into other from account where id = $1", 16),
        ]
        let descriptions = try await describe(
            queries.enumerated().map { QueryGetter(name: "g\($0)", sql: $1.0, returns: returns) })
        for (description, query) in zip(descriptions, queries) {
            let mistake = try #require(description.mistake, "\(query)")
            #expect(mistake.hint == hint)
            #expect(mistake.line == 1)
            #expect(mistake.column == query.1)
        }
    }

    @Test(arguments: [
        ("select id from account where id = ?", "?", 1, 35), ("select id from account where id = :id", ":id", 1, 35),
        ("select id\nfrom account\nwhere owner = %s", "%s", 3, 15),
        ("select '?', id from account where id = ?", "?", 1, 40),
        ("select id from account where owner = %(name)s", "%(name)s", 1, 38),
        ("select id from account where id = $id", "$id", 1, 35),
        ("select id from account where owner = @owner", "@owner", 1, 38),
    ])
    func `a parameter as other databases write it is shown, with what PostgreSQL's are`(
        sql: String, spelling: String, line: Int, column: Int
    ) async throws {
        let mistake = try #require(try await describe([QueryGetter(name: "g", sql: sql, returns: .row)])[0].mistake)
        #expect(mistake.hint == "a getter's parameters are $1, $2 and so on, not \(spelling)")
        #expect(mistake.line == line)
        #expect(mistake.column == column)
    }

    @Test func `an error of syntax says what a getter is, and operators are no parameters`() async throws {
        let descriptions = try await describe([
            QueryGetter(name: "typo", sql: "select id frm account wher id = $1", returns: .row),
            QueryGetter(name: "jsonb", sql: "select zzz from account where settings ? 'theme'", returns: .row),
            QueryGetter(
                name: "good", sql: "select id from account where settings ? 'theme' and id % 2 = 1", returns: .rows),
            QueryGetter(name: "what", sql: "selct id from account", returns: .rows),
        ])
        #expect(descriptions[0].mistake?.hint == "a getter is one SELECT; its parameters are $1, $2 and so on")
        #expect(descriptions[0].mistake?.column == 15)
        #expect(descriptions[1].mistake?.hint == nil)
        #expect(descriptions[2].mistake == nil)
        #expect(descriptions[3].mistake?.description == "what: line 1, column 1: a getter only reads; write a SELECT")
    }

    @Test func `a parameter in quotes and one that is left out are told as such`() async throws {
        let descriptions = try await describe([
            QueryGetter(name: "quoted", sql: "select id from account where id = '$1'", returns: .row),
            QueryGetter(name: "gap", sql: "select id from account where id = $2", returns: .row),
        ])
        #expect(descriptions[0].mistake?.hint == "a parameter stands without quotes: $1, not '$1'")
        #expect(descriptions[1].mistake?.hint?.hasPrefix("parameters are counted from $1 on without a gap") == true)
    }

    @Test func `a query whose table is locked is waited for as long as the setting says, and the error names it`()
        async throws
    {
        let server = try await Server.shared()
        _ = try await server.psql("create table locked(id int)")
        let getter = QueryGetter(name: "locked", sql: "select id from locked where id = $1", returns: .row)
        let bench = try Bench(server.url, settings: { $0.connectTimeout = .seconds(3) }, [getter])
        #expect(await bench.eventually { $0.connectionsReady == 4 })
        _ = try await server.psql("begin; lock table locked; prepare transaction 'locked'")
        let error = await #expect(throws: ConnectError.self) { try await bench.database.describe() }
        #expect(
            error?.description == "the server did not describe a query within 3.0 seconds (database.connect_timeout); "
                + "is its table locked?")
        _ = try await server.psql("rollback prepared 'locked'")
        #expect(await eventually { (try? await bench.database.describe())?.map(\.mistake) == [nil] })
        await bench.stop()
    }

    @Test func `a missing privilege is found without the query being run`() async throws {
        let server = try await Server.shared()
        _ = try await server.psql(
            """
            create role outsider login;
            create table hidden(id int);
            create sequence asked;
            grant usage on sequence asked to outsider;
            create domain present as int check (value is not null);
            grant select on account to outsider
            """)
        for returns in QueryGetter.Returns.allCases {
            let bench = try Bench(
                server.url.replacing("user=postgres", with: "user=outsider"),
                [
                    QueryGetter(name: "hidden", sql: "select id from hidden where id = $1", returns: returns),
                    QueryGetter(
                        name: "batch", sql: "select id from account where id = $1", returns: returns,
                        batch: .init(sql: "select id, id from hidden where id = any($1)")),
                    QueryGetter(name: "open", sql: "select nextval('asked') where 1 = $1", returns: returns),
                    QueryGetter(
                        name: "domain", sql: "select id from account where id = $1::present", returns: returns),
                ])
            let descriptions = try await bench.database.describe()
            await bench.stop()
            let grant = "(grant it to the role that pgsidecar connects as) [SQLSTATE 42501]"
            #expect(
                descriptions.map { $0.mistake?.description } == [
                    "hidden: permission denied for table hidden \(grant)",
                    "batch.batch: permission denied for table hidden \(grant)", nil, nil,
                ])
        }
        #expect(try await server.psql("select is_called from asked").hasPrefix("f"))
    }
}
