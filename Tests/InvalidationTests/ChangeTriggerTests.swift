import Groundwork
import Testing

@testable import Invalidation
@testable import Postgres

@Suite struct ChangeTriggerTests {
    @Test func `each kind of statement tells the keys of the rows that it changed, in one message`() async throws {
        let bench = try await ChangeBench()
        try bench.run(
            "create table account(id int primary key, v int); insert into account select i, 0 from generate_series(1, 9) i"
        )
        try bench.install("public.account", ["id"])
        let statements: [(sql: String, keys: [String])] = [
            ("insert into account values (10, 0), (11, 0)", ["10", "11"]),
            ("update account set v = 1 where id < 4", ["1", "2", "3"]),
            ("update account set id = -id where id = 5", ["-5", "5"]),
            ("delete from account where id = 9", ["9"]),
            ("insert into account values (1, 5), (12, 0) on conflict (id) do update set v = 7", ["1", "12"]),
            ("insert into account values (1, 5) on conflict do nothing", []),
            ("update account set v = 1 where id = 4711", []),
            (
                "with d as (delete from account where id = 8 returning *) insert into account select 80, v from d",
                ["8", "80"]
            ),
            (
                "merge into account a using (values (2), (20)) as s(id) on a.id = s.id when matched then delete "
                    + "when not matched then insert values (s.id, 0)", ["2", "20"]
            ),
            ("copy account from program 'echo 30,1'with (format csv)", ["30"]),
            ("truncate account", ["*"]),
            ("begin; insert into account values (1); rollback", []),
            (
                "begin; savepoint a; insert into account values (1); rollback to a; insert into account values (2); commit",
                ["2"]
            ),
        ]
        for statement in statements {
            try bench.run(statement.sql)
            #expect(try bench.keys() == statement.keys, "\(statement.sql)")
        }
        try bench.run("insert into account select i from generate_series(100, 199) i")
        #expect(try bench.heard().count == 1)
    }

    @Test func `keys that do not fit into one message are told in several, and very many as any row`() async throws {
        let bench = try await ChangeBench()
        try bench.run("create table wide(k text primary key)")
        try bench.install("public.wide", ["k"])
        try bench.run("insert into wide select repeat(chr(97 + i % 26), 1000) || i from generate_series(1, 100) i")
        let changes = try bench.heard()
        #expect(changes.count > 10)
        #expect(changes.flatMap(\.keyTexts).count == 100)
        try bench.run("insert into wide select i from generate_series(1, 10000) i")
        #expect(try bench.heard().flatMap(\.keyTexts).count == 10_000)
        try bench.run("insert into wide select i from generate_series(20001, 30001) i")
        #expect(try bench.keys() == ["*"])
    }

    @Test(arguments: [
        7_950, 7_960, 7_966, 7_967, 7_968, 7_969, 7_970, 7_971, 7_972, 7_973, 7_974, 7_980, 8_000, 100_000,
    ])
    func `a key as long as a message, or longer, fails nobody's write`(length: Int) async throws {
        let bench = try await ChangeBench()
        try bench.run("create table t(k text)")
        try bench.install("public.t", ["k"])
        try bench.run("insert into t values ('x'), (repeat('y', \(length))), ('z')")
        let keys = try bench.keys()
        let longest = String(repeating: "y", count: length)
        #expect(keys == ["*"] || keys == ["x", longest, "z"])
        #expect((keys == ["*"]) == (length > 7_973))
    }

    @Test func `a writer without any right on our schema writes`() async throws {
        let bench = try await ChangeBench()
        try bench.run("create table t(id int); create role w\(bench.name) login; grant insert on t to w\(bench.name)")
        try bench.install("public.t", ["id"])
        let writer = try bench.session("&user=w\(bench.name)")
        #expect(throws: SQLFailure.self) {
            try writer.run("create function pgsidecar.x() returns int language sql as 'select 1'")
        }
        try writer.run("insert into t values (7)")
        #expect(try bench.keys() == ["7"])
    }

    @Test func `a table that changed below the triggers fails nobody's write`() async throws {
        let bench = try await ChangeBench()
        try bench.run("create table t(id int, v int)")
        try bench.install("public.t", ["id"])
        try bench.run("alter table t rename column id to number; insert into t values (7)")
        #expect(try bench.keys() == ["*"])
        #expect(try bench.standing("public.t", ["id"]).mistake == "public.t has no column id")
    }

    @Test(arguments: [
        ("int", "numeric(8,2)"), ("text", "char(5)"), ("int", "text"), ("timestamp", "date"), ("text", "name"),
        ("text", "dom"),
    ])
    func `a column whose type was changed is told as any row`(from: String, to: String) async throws {
        let bench = try await ChangeBench()
        try bench.run("create domain dom as text; create table t(id \(from), v int)")
        try bench.install("public.t", ["id"])
        let value = from == "timestamp" ? "'2024-02-29'" : "'7'"
        // Also in a session that ran the function before.
        try bench.run("insert into t values (\(value), 0)")
        #expect(try bench.keys() != ["*"])
        try bench.run("alter table t alter id type \(to); update t set v = 1")
        #expect(try bench.keys() == ["*"])
        try bench.session().run("insert into t values (\(value), 0)")
        #expect(try bench.keys() == ["*"])
        try bench.install("public.t", ["id"])
        try bench.run("update t set v = 2")
        #expect(try bench.keys() != ["*"])
    }

    @Test func `who may not notify writes all the same, and is warned`() async throws {
        let bench = try await ChangeBench()
        try bench.run(
            """
            create table t(id int); create role w\(bench.name) login; grant insert on t to w\(bench.name);
            revoke execute on function pg_notify(text, text) from public
            """)
        try bench.install("public.t", ["id"])
        let standing = try bench.standing("public.t", ["id"])
        #expect(
            standing.warnings == [
                "not everybody may notify, and a writer has to; run: grant execute on function pg_notify(text, text) to public"
            ])
        try bench.session("&user=w\(bench.name)").run("insert into t values (7)")
        #expect(try bench.keys().isEmpty)
    }

    @Test func `names of any signs are told`() async throws {
        let bench = try await ChangeBench()
        let schema = "S.\"q\" é"
        let long = String(repeating: "ü", count: 31) + "x"
        let names = [long, "a\\b", "$pgsidecar$", "it's", "new_rows", "key", "seen", "message", "a b", "select"]
        try bench.run("create schema \(SQLName.quoted(schema))")
        for name in names {
            let table = TableName(schema: schema, name: name)
            try bench.run("create table \(table.quoted)(\(SQLName.quoted(name)) text)")
            try bench.install(table.quoted, [name])
            try bench.run(
                "set standard_conforming_strings = off; insert into \(table.quoted) values ('x'), (null), ('')")
            try bench.run("set standard_conforming_strings = on")
            let heard = try bench.heard()
            #expect(heard.map(\.table) == [table])
            #expect(heard.first?.what == .rows(columns: [name], keys: [[nil], [[]], [[UInt8(ascii: "x")]]]))
        }
    }

    @Test(arguments: ["LATIN1", "SQL_ASCII", "EUC_JP"])
    func `in a database of another encoding keys come in UTF-8`(encoding: String) async throws {
        let bench = try await ChangeBench("encoding '\(encoding)' template template0 locale 'C'")
        let text = encoding == "EUC_JP" ? "表" : "é"
        try bench.run("set client_encoding = 'UTF8'; create table \"\(text)\"(\"\(text)\" text, n int)")
        try bench.install("public.\"\(text)\"", [text, "n"])
        try bench.run("insert into \"\(text)\" values ('\(text)', 1), ('plain', 2), (null, 3)")
        #expect(try bench.keys() == ["1|\(text)", "2|plain", "3|-"])
    }
}

extension TableChange {
    /// The texts of its keys.
    var keyTexts: [[[UInt8]?]] {
        switch what {
        case .all: []
        case .rows(let keys): keys.arrays
        }
    }
}
