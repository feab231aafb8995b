import Groundwork
import Testing

@testable import Invalidation
@testable import Postgres

/// Tables, keys and statements made by chance: what is told is compared with what really changed.
@Suite struct ChangePropertyTests {
    @Test(arguments: Array(UInt64(1)...24))
    func `every key whose rows a transaction changed is told, whatever the writer's session is like`(seed: UInt64)
        async throws
    {
        let bench = try await ChangeBench()
        var story = Story(seed: seed)
        try bench.run(story.setup)
        try bench.install("public.t", story.key)
        for _ in 0..<25 {
            let writer = try bench.session()
            try writer.run("select 1; \(story.sessionSettings())")
            for _ in 0..<3 {
                let before = try bench.rows(of: "public.t", story.key)
                let transaction = story.transaction()
                var isDone = !transaction.isRolledBack
                do throws(SQLFailure) {
                    try writer.run(transaction.sql)
                } catch {
                    let refusal = error
                    // A key that is there already, say: as it would be without triggers.
                    #expect(
                        ["23505", "23502", "23503", "23514", "21000", "22003"].contains(refusal.state),
                        "\(refusal)\n\(transaction.sql)")
                    _ = try? writer.run("rollback")
                    isDone = false
                }
                let after = try bench.rows(of: "public.t", story.key)
                let told = Set(try bench.keys())
                let changed = Set(before.keys).union(after.keys).filter { before[$0] != after[$0] }
                #expect(isDone || changed.isEmpty)
                #expect(isDone || told.isEmpty, "told of what was rolled back: \(transaction.sql)")
                #expect(
                    told.contains("*") || changed.isSubset(of: told),
                    "not told: \(changed.subtracting(told))\n\(story.setup)\n\(transaction.sql)")
                if isDone, transaction.isSingle, !told.contains("*") {
                    #expect(told.isSubset(of: Set(before.keys).union(after.keys)), "\(transaction.sql)")
                }
            }
        }
    }
}

extension ChangeBench {
    /// The rows of a table, as texts, by their keys as they are told.
    fileprivate func rows(of table: String, _ key: [String]) throws -> [String: [String]] {
        guard case .keys(let columns) = try standing(table, key).triggers.telling else {
            throw ConnectError(description: "no keys")
        }
        let texts = columns.map { "coalesce(\($0.expression), '-')" }.joined(separator: " || '|' || ")
        var rows: [String: [String]] = [:]
        for row in try administrator.run("select \(texts), r::text from \(table) r order by 2") {
            rows[row[0] ?? "", default: []].append(row[1] ?? "")
        }
        return rows
    }
}

/// A table and what happens to it.
private struct Story {
    private enum Shape: CaseIterable { case plain, unique, partitioned, inherited, cascading }

    /// What a column of a key may be, and some values of it, of which some are equal in other texts.
    private static let types: [(name: String, values: [String])] = [
        ("int", ["1", "2", "-3", "2147483647", "0", "4"]), ("bigint", ["1", "9223372036854775807", "-1", "2"]),
        ("smallint", ["1", "2", "3"]),
        ("text", ["'a'", "''", "'A'", "'a:b'", "'é表'", "E'\\\\x'", "repeat('x', 3000)"]),
        ("varchar(5)", ["'a'", "'b  '", "'ccccc'"]), ("char(5)", ["'a'", "'b  '", "'ccccc'"]),
        ("name", ["'a'", "'b'"]),
        ("uuid", ["'00000000-0000-0000-0000-000000000001'", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'"]),
        ("boolean", ["true", "false"]), ("numeric", ["1", "1.0", "1.10", "0", "-0.5", "'NaN'", "1e30"]),
        ("float8", ["1", "0.1", "'-0'", "'NaN'", "1e300", "0.30000000000000004"]),
        ("float4", ["1", "0.1", "'-0'", "3.4e38"]),
        ("date", ["'2024-02-29'", "'infinity'", "'0044-03-15 BC'", "'2024-03-01'"]),
        ("time", ["'04:05:06'", "'04:05:06.5'"]), ("timetz", ["'04:05:06+02'", "'04:05:06-03:30'"]),
        ("timestamp", ["'2024-02-29 04:05:06'", "'infinity'", "'2024-02-29 04:05:06.123456'"]),
        (
            "timestamptz",
            [
                "'2024-02-29 04:05:06+00'", "'2024-02-29 06:05:06+02'", "'infinity'",
                "'2024-07-01 00:00:00 Europe/Berlin'",
            ]
        ),
        ("bytea", ["decode('00ff', 'hex')", "''", "decode('41', 'hex')"]),
        ("inet", ["'10.0.0.1'", "'10.0.0.0/8'", "'::1'"]),
        ("cidr", ["'10.0.0.0/8'", "'::/0'"]), ("macaddr", ["'08:00:2b:01:02:03'", "'08-00-2b-01-02-04'"]),
        ("oid", ["1", "4294967295"]), ("bit(3)", ["B'101'", "B'000'"]), ("varbit", ["B'1'", "B''"]),
        ("pg_lsn", ["'0/1'", "'16/B374D848'"]), ("mood", ["'sad'", "'happy'"]), ("positive", ["1", "2"]),
    ]

    private var random: SplitMix64
    private let shape: Shape
    private let columns: [(name: String, type: String, values: [String])]
    let setup: String

    /// The rule's columns.
    var key: [String] { columns.map(\.name) }

    init(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let shape = Shape.allCases[Int(seed) % Shape.allCases.count]
        let count = shape == .cascading ? 1 : Int.random(in: 1...2, using: &random)
        let names = ["id", "\"K é\"\"1\"", "\"r\"", "\"new_rows\""].shuffled(using: &random)
        columns = (0..<count).map { index in
            // Bits have no hash to be parted by.
            let types = shape == .partitioned ? Self.types.filter { !$0.name.contains("bit") } : Self.types
            let type = shape == .cascading ? Self.types[0] : Self.pick(types, &random)
            let name = String(names[index].trimmingPrefix("\"").reversed().trimmingPrefix("\"").reversed())
            return (name.replacing("\"\"", with: "\""), type.name, type.values)
        }
        let list = columns.map { "\(SQLName.quoted($0.name)) \($0.type)" }.joined(separator: ", ")
        let key = columns.map { SQLName.quoted($0.name) }.joined(separator: ", ")
        var setup = """
            create type mood as enum ('sad', 'happy'); create domain positive as int check (value > 0);
            create schema evil;
            create function evil.octet_length(text) returns int language sql as 'select 1/0';
            create function evil.pg_notify(text, text) returns void language sql as 'select';
            create function evil.cat(text, text) returns text language sql as $$ select 'wrong' $$;
            create operator evil.|| (leftarg = text, rightarg = text, function = evil.cat);

            """
        switch shape {
        case .plain: setup += "create table t(\(list), v int default 0);"
        case .unique: setup += "create table t(\(list), v int default 0, primary key (\(key)));"
        case .partitioned:
            setup += """
                create table t(v int default 0, \(list)) partition by hash (\(key));
                create table p0 partition of t for values with (modulus 3, remainder 0);
                create table p1(\(list), gone int, v int default 0); alter table p1 drop column gone;
                alter table t attach partition p1 for values with (modulus 3, remainder 1);
                create table p2 partition of t for values with (modulus 3, remainder 2) partition by hash (\(key));
                create table p20 partition of p2 for values with (modulus 1, remainder 0);
                """
        case .inherited:
            setup += """
                create table t(\(list), v int default 0); create table p0(more text) inherits (t);
                create table p1() inherits (p0);
                """
        case .cascading:
            let column = SQLName.quoted(columns[0].name)
            let action = Bool.random(using: &random) ? "cascade" : "set null"
            setup += """
                create table owner(id int primary key); insert into owner select unnest(array[\(columns[0].values.joined(separator: ","))]);
                create table t(\(column) int references owner on update cascade on delete \(action), v int default 0);
                """
        }
        self.setup = setup
        self.shape = shape
        self.random = random
    }

    private static func pick<Element>(_ elements: [Element], _ random: inout SplitMix64) -> Element {
        elements[Int.random(in: elements.indices, using: &random)]
    }

    /// What a writer's session may be like.
    mutating func sessionSettings() -> String {
        let settings = [
            "set datestyle = 'German, DMY'", "set timezone = 'Asia/Kathmandu'", "set bytea_output = 'escape'",
            "set intervalstyle = 'sql_standard'", "set extra_float_digits = 0", "set extra_float_digits = -15",
            "set search_path = evil, public, pg_catalog", "set session_replication_role = replica",
            "set standard_conforming_strings = off; set escape_string_warning = off", "set lc_monetary = 'C'",
            "set xmloption = document", "set quote_all_identifiers = on", "set array_nulls = off",
            "set plan_cache_mode = force_generic_plan", "set jit_above_cost = 0", "set work_mem = 64",
            "set default_transaction_isolation = 'serializable'",
        ]
        return settings.filter { _ in Int.random(in: 0...3, using: &random) == 0 }.joined(separator: "; ")
    }

    struct Transaction {
        var sql: String
        var isSingle = true
        var isRolledBack = false
    }

    mutating func transaction() -> Transaction {
        switch Int.random(in: 0...9, using: &random) {
        case 0: return Transaction(sql: "begin; \(statement()); \(statement()); commit", isSingle: false)
        case 1: return Transaction(sql: "begin; \(statement()); rollback", isSingle: false, isRolledBack: true)
        case 2:
            return Transaction(
                sql: "begin; \(statement()); savepoint a; \(statement()); rollback to a; \(statement()); commit",
                isSingle: false)
        case 3:
            return Transaction(
                sql: "begin; savepoint a; \(statement()); savepoint b; \(statement()); release a; commit",
                isSingle: false)
        case _: return Transaction(sql: statement())
        }
    }

    private mutating func value(of column: Int) -> String {
        let (_, type, values) = columns[column]
        if shape == .plain || shape == .inherited || shape == .cascading, Int.random(in: 0...9, using: &random) == 0 {
            return "null::\(type)"
        }
        return "\(Self.pick(values, &random))::\(type)"
    }

    private mutating func row() -> String {
        let values = columns.indices.map { value(of: $0) } + [String(Int.random(in: 0...3, using: &random))]
        return "(\(values.joined(separator: ", ")))"
    }

    private mutating func condition() -> String {
        switch Int.random(in: 0...3, using: &random) {
        case 0: return "true"
        case 1: return "v = \(Int.random(in: 0...3, using: &random))"
        case _:
            let column = Int.random(in: columns.indices, using: &random)
            return "\(SQLName.quoted(columns[column].name)) = \(value(of: column))"
        }
    }

    /// The table, or one of those below it.
    private mutating func table(_ parts: Bool = true) -> String {
        guard parts, Bool.random(using: &random) else { return "public.t" }
        switch shape {
        case .plain, .unique, .cascading: return "public.t"
        case .partitioned: return "public.\(Self.pick(["p0", "p1", "p2", "p20"], &random))"
        case .inherited: return "public.\(Self.pick(["p0", "p1"], &random))"
        }
    }

    private mutating func statement() -> String {
        let names = (columns.map { SQLName.quoted($0.name) } + ["v"]).joined(separator: ", ")
        let column = Int.random(in: columns.indices, using: &random)
        let assignment = "\(SQLName.quoted(columns[column].name)) = \(value(of: column))"
        switch Int.random(in: 0...13, using: &random) {
        case 0...3: return "insert into public.t(\(names)) values \(row()), \(row())"
        case 4:
            // Into a partition only what belongs there: taken from its own rows.
            let table = table()
            return "insert into \(table)(\(names)) select \(names) from \(table) limit 2"
        case 5, 6: return "update \(table()) set v = v + 1 where \(condition())"
        case 7: return "update \(table(shape != .partitioned)) set \(assignment) where \(condition())"
        case 8: return "update \(table(shape != .partitioned)) set \(assignment), v = 2 where \(condition())"
        case 9: return "delete from \(table()) where \(condition())"
        case 10:
            return Int.random(in: 0...3, using: &random) == 0
                ? "truncate \(table())" : "delete from \(table()) where v = 1"
        case 11:
            let conflict =
                shape == .unique
                ? "(\(columns.map { SQLName.quoted($0.name) }.joined(separator: ", "))) do update set v = public.t.v + 1"
                : "do nothing"
            return "insert into public.t(\(names)) values \(row()), \(row()) on conflict \(conflict)"
        case 12 where shape == .plain || shape == .unique || shape == .partitioned:
            return """
                merge into public.t using (values \(row()), \(row())) as s(\(columns.indices.map { "c\($0)" }.joined(separator: ", ")), w)
                on t.\(SQLName.quoted(columns[0].name)) = s.c0
                when matched and w = 0 then delete when matched then update set v = w
                when not matched then insert (\(names)) values (\(columns.indices.map { "c\($0)" }.joined(separator: ", ")), w)
                """
        case 12...13 where shape == .cascading:
            let id = value(of: 0)
            return Bool.random(using: &random)
                ? "update public.owner set id = \(value(of: 0)) where id = \(id)"
                : "delete from public.owner where id = \(id); insert into public.owner values (\(columns[0].values[0])) on conflict do nothing"
        case _:
            return
                "with d as (delete from public.t where \(condition()) returning \(names)) insert into public.t(\(names)) select \(names) from d"
        }
    }
}
