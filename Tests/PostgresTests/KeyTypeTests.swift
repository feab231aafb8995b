import CacheCore
import Groundwork
import Postgres
import PrivateDatabase
import TestSupport
import Testing

/// What a batch gives is, byte for byte, what the group's own query gives.
@Suite(.timeLimit(.minutes(10)))
struct KeyTypeTests {
    /// An outcome's bytes.
    struct Bytes: Equatable, CustomStringConvertible {
        var isMissing = false
        var text: [UInt8] = []
        var fields: [UInt8] = []
        var error = ""

        init(_ outcome: Outcome) {
            switch outcome {
            case .success(let value):
                isMissing = value.isMissing
                text = value.text.withUnsafeBytes { Array($0) }
                fields = value.fields.withUnsafeBytes { Array($0) }
            case .failure(let failure): error = "\(failure.code) \(failure.message)"
            }
        }

        var description: String {
            isMissing
                ? "missing"
                : String(decoding: text, as: UTF8.self) + " " + String(decoding: fields.dropFirst(4), as: UTF8.self)
                    + error
        }
    }

    /// A group's own query and its batches: by its columns, and by the keys that were asked for.
    private struct Query {
        let type: KeyType
        let table: String
        let returns: QueryGetter.Returns

        private var columns: String { returns == .value ? "k" : "*" }
        private var order: String { returns == .rows ? " order by n desc" : "" }
        private var from: String { returns == .rows ? "\(table)_rows" : table }

        func alone(_ name: String) -> QueryGetter {
            QueryGetter(name: name, sql: sql, returns: returns)
        }

        /// The rows of any of the keys.
        func byColumn(_ name: String) -> QueryGetter {
            if type.isText { return byAsked(name) }
            let keys = type.isCast ? "$1::\(type.base)[]" : "$1"
            return QueryGetter(
                name: name, sql: sql, returns: returns,
                batch: BatchQuery(sql: "select k, \(columns) from \(from) where k = any(\(keys))\(order)", max: 1000))
        }

        /// The rows of each of the keys.
        func byAsked(_ name: String) -> QueryGetter {
            let columns = returns == .value ? "t.k" : "t.*"
            let (asked, key) = type.isText ? ("text", "asked.k::\(type.base)") : (type.base, "asked.k")
            return QueryGetter(
                name: name, sql: sql, returns: returns,
                batch: BatchQuery(
                    sql: """
                        select asked.k, \(columns) from unnest($1::\(asked)[]) asked(k) join \(from) t on t.k = \(key)
                        \(order)
                        """, max: 1000))
        }

        private var sql: String { "select \(columns) from \(from) where k = \(type.parameter)\(order)" }
    }

    /// The tables of all types: a row for each value but that of the last key, and a table with two rows for each.
    private static func prepare(_ server: PrivatePostgres, schema: String) async throws {
        var sql = """
            create schema \(schema);
            create type \(schema).thing as (x int, y text);

            """
        for type in KeyType.all where !type.setup.isEmpty { sql += "\(type.setup);\n" }
        for (index, type) in KeyType.all.enumerated() {
            let table = "\(schema).t\(index)"
            sql +=
                "create table \(table)(k \(type.name), n int, pgs_batch text, j jsonb, o json, a int[], c \(schema).thing);\n"
            for (number, key) in type.keys.dropLast().enumerated() {
                let literal = "'\(key.replacing("'", with: "''"))'"
                sql += """
                    insert into \(table) select v.v, \(number), 'n\(number)', '{"a": [1, {"b": "},"}]}', '{ "x" : 1 }',
                        '{1,NULL}', '(\(number),"(,}")' from (select \(literal)::\(type.name) v) v
                    where not exists (select from \(table) where k = v.v);

                    """
            }
            sql += """
                create table \(table)_rows as
                select * from \(table) union all select k, n + 100, null, null, null, null, null from \(table);

                """
        }
        _ = try await server.psql(sql)
    }

    private static let prepared = Task {
        let server = try await Server.shared()
        try await prepare(server, schema: "keytypes")
        return server
    }

    @Test(
        arguments: QueryGetter.Returns.allCases,
        [
            "",
            "timezone=Asia/Kathmandu,bytea_output=escape,intervalstyle=iso_8601,datestyle=German,extra_float_digits=0",
            "timezone=America/St_Johns,enable_hashjoin=off,enable_mergejoin=off",
        ])
    func `for every type, every text of a key and every shape`(
        returns: QueryGetter.Returns, session: String
    ) async throws {
        let server = try await Self.prepared.value
        let queries = KeyType.all.enumerated().map {
            Query(type: $1, table: "keytypes.t\($0)", returns: returns)
        }
        let getters = queries.enumerated().flatMap {
            [$1.alone("alone\($0)"), $1.byColumn("column\($0)"), $1.byAsked("asked\($0)")]
        }
        let options = (["search_path=public,keytypes"] + session.split(separator: ",").map { String($0) })
            .map { "-c%20" + $0.replacing("=", with: "%3D").replacing(",", with: "%2C").replacing("/", with: "%2F") }
            .joined(separator: "%20")
        let bench = try Bench(
            server.url + "&options=" + options, loops: 1, settings: { $0.connections = 1 }, getters)
        #expect(await bench.described())
        for mistake in bench.database.descriptions?.compactMap(\.mistake) ?? [] { Issue.record("\(mistake)") }
        for (index, query) in queries.enumerated() {
            let keys = query.type.keys
            let expected = await answers(bench, "alone\(index)", keys)
            let sent = bench.database.status.loadsSent
            let byColumn = await answers(bench, "column\(index)", keys)
            if returns != .rows {
                #expect(bench.database.status.loadsSent == sent + 1, "\(query.type.name): one query for all")
                #expect(expected.allSatisfy { $0.error.isEmpty }, "\(query.type.name)")
                #expect(Set(expected.map(\.description)).count > 1, "\(query.type.name): rows of several kinds")
            }
            let byAsked = await answers(bench, "asked\(index)", keys)
            for (index, key) in keys.enumerated() {
                #expect(byColumn[index] == expected[index], "\(query.type.name) '\(key)'")
                #expect(byAsked[index] == expected[index], "\(query.type.name) '\(key)' by what was asked")
            }
            // Among texts that are none of the type's, and by two at a time.
            let odd = keys + ["", "nonsense", "{", "99999999999999999999999999"]
            #expect(
                await answers(bench, "column\(index)", odd) == answers(bench, "alone\(index)", odd),
                "\(query.type.name)")
            for pair in zip(keys, keys.dropFirst()) {
                let pair = [pair.0, pair.1]
                #expect(
                    await answers(bench, "column\(index)", pair) == answers(bench, "alone\(index)", pair),
                    "\(query.type.name) \(pair)")
            }
        }
        await bench.stop()
    }

    private func answers(_ bench: Bench, _ group: String, _ keys: [String]) async -> [Bytes] {
        var seen: Set<String> = []
        let asked = keys.filter { seen.insert($0).inserted }
        let outcomes = await bench.outcomesTogether(asked.map { (group, $0) })
        let byKey = Dictionary(
            uniqueKeysWithValues: zip(
                asked,
                outcomes.map { outcome in
                    var bytes = Bytes(outcome)
                    bytes.error = bytes.error.replacing(group, with: "g")
                    return bytes
                }))
        return keys.compactMap { byKey[$0] }
    }

    @Test func `the list has every type of the catalog that has an equality`() async throws {
        let types = try await Server.shared().psql(
            """
            select distinct format_type(t.oid, null) from pg_type t join pg_opclass c on c.opcintype = t.oid
            join pg_am a on a.oid = c.opcmethod and a.amname in ('btree', 'hash')
            where c.opcdefault and t.typtype = 'b' and t.typisdefined and t.typnamespace = 'pg_catalog'::regnamespace
            """)
        let known = Set(KeyType.all.map(\.name))
        for type in types.split(separator: "\n").map(String.init) { #expect(known.contains(type), "\(type)") }
        #expect(types.split(separator: "\n").count > 35)
    }

    @Test(arguments: QueryGetter.Returns.allCases)
    func `keys of several parts, columns called as ours are, quoted names and the same name twice`(
        returns: QueryGetter.Returns
    ) async throws {
        let server = try await Server.shared()
        let schema = "names_\(returns)"
        let names = [
            "pgs_row", "pgs_batch", "pgs_asked", "pgs_query", "pgs_ordinal", "pgs_1", "pgs_key1", "n",
            "\"ein \"\"Wort\"\"\"",
            "\"ö, {\"", "\"A\"", "\"\\\"", "\"select\"", "\"\u{1}\"", "\"\(String(repeating: "x", count: 63))\"",
        ]
        _ = try await server.psql(
            """
            create schema \(schema);
            create table \(schema).t as select i % 3 as a, i::text as b, (i / 2.0)::numeric(8,2) as c,
                \(names.map { "case when i % 4 > 0 then i end as \($0)" }.joined(separator: ", "))
            from generate_series(0, 40) i;
            """)
        let columns =
            switch returns {
            case .value: "pgs_batch"
            case .row: "*"
            case .rows: "*, pgs_row, *"
            }
        let sql = "select \(columns) from \(schema).t where a = $1 and b = $2 and c = $3"
        let alone = QueryGetter(name: "alone", sql: sql, returns: returns)
        let batched = QueryGetter(
            name: "batched", sql: sql, returns: returns,
            batch: BatchQuery(
                sql: """
                    select a, b, c, \(columns) from \(schema).t
                    where (a, b, c) in (select * from unnest($1::int[], $2::text[], $3::numeric[]))
                    """))
        let bench = try Bench(server.url, loops: 1, settings: { $0.connections = 1 }, [alone, batched])
        #expect(await bench.described())
        for mistake in bench.database.descriptions?.compactMap(\.mistake) ?? [] { Issue.record("\(mistake)") }
        let keys = (0...44).map {
            "\($0 % 3 == 1 ? "0" : "")\($0 % 3):\($0):\(Double($0) / 2)\($0 % 2 == 0 ? "0" : "")"
        }
        let expected = await answers(bench, "alone", keys)
        let sent = bench.database.status.loadsSent
        let answers = await answers(bench, "batched", keys)
        #expect(answers == expected)
        #expect(bench.database.status.loadsSent == sent + 1)
        #expect(Set(expected.map(\.description)).count > 20)
        await bench.stop()
    }

    @Test(arguments: QueryGetter.Returns.allCases)
    func `rows that are nobody's show that the batch's key is not the one that was asked for`(
        returns: QueryGetter.Returns
    ) async throws {
        let server = try await Self.prepared.value
        let index = try #require(KeyType.all.firstIndex { $0.name == "numeric(8,2)" })
        let columns = returns == .value ? "k" : "*"
        let sql = "select \(columns) from keytypes.t\(index) where k = $1::numeric(8,2)"
        let batch = "select k, \(columns) from keytypes.t\(index) where k = any($1::numeric(8,2)[])"
        let bench = try Bench(
            server.url, loops: 1, settings: { $0.connections = 1 },
            [
                QueryGetter(name: "alone", sql: sql, returns: returns),
                QueryGetter(name: "batched", sql: sql, returns: returns, batch: BatchQuery(sql: batch)),
            ])
        // 7.001 is 7.00 to both queries, and neither 7.00 nor anything else of the batch is 7.001.
        let keys = ["7.001", "0.5", "99"]
        let expected = await answers(bench, "alone", keys)
        #expect(expected[0] != expected[2])
        #expect(await answers(bench, "batched", keys) == expected)
        await bench.stop()
    }

    @Test func `numbers in words that chance makes`() async throws {
        let server = try await Self.prepared.value
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SplitMix64(seed: seed)
        let names = ["integer", "numeric(8,2)", "double precision", "numeric"]
        for name in names {
            let index = try #require(KeyType.all.firstIndex { $0.name == name })
            for returns in QueryGetter.Returns.allCases {
                let query = Query(type: KeyType.all[index], table: "keytypes.t\(index)", returns: returns)
                let bench = try Bench(
                    server.url, loops: 1, settings: { $0.connections = 1 },
                    [query.alone("alone"), query.byColumn("batched")])
                var keys: Set<String> = []
                while keys.count < 60 {
                    let number = Int.random(in: -1...9, using: &random)
                    let sign = number < 0 ? "-" : Bool.random(using: &random) ? "+" : ""
                    let zeros = String(repeating: "0", count: Int.random(in: 0...3, using: &random))
                    let fraction =
                        name == "integer"
                        ? "" : ["", ".", ".0", ".00", "e0", ".0e-0", "0e-1"].randomElement(using: &random) ?? ""
                    keys.insert("\(sign)\(zeros)\(number.magnitude)\(fraction)")
                }
                let asked = keys.sorted()
                #expect(
                    await answers(bench, "batched", asked) == answers(bench, "alone", asked),
                    "\(name), \(returns), seed \(seed)")
                await bench.stop()
            }
        }
    }

    @Test(arguments: ["hex", "escape"])
    func `a bytea's value is its bytes, alone and in a batch, and so is that of a domain over it`(
        output: String
    ) async throws {
        let server = try await Server.shared()
        let all = (0...255).map { UInt8($0) } + Array("\\x41 \\\\ \\101".utf8)
        let hex = all.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        let schema = "bytes_\(output)"
        _ = try await server.psql(
            """
            create schema \(schema);
            create domain \(schema).raw as bytea;
            create table \(schema).t(id int, plain bytea, own \(schema).raw);
            insert into \(schema).t values (1, '\\x\(hex)', '\\x\(hex)'), (2, '', ''), (3, null, null), (4, '\\x5c78', 'a');
            """)
        for column in ["plain", "own"] {
            let sql = "select \(column) from \(schema).t where id = $1"
            let alone = QueryGetter(name: "alone", sql: sql, returns: .value)
            let batched = QueryGetter(
                name: "batched", sql: sql, returns: .value,
                batch: BatchQuery(sql: "select id, \(column) from \(schema).t where id = any($1)"))
            let bench = try Bench(
                server.url + "&options=-c%20bytea_output%3D\(output)", loops: 1, settings: { $0.connections = 1 },
                [alone, batched])
            let keys = ["1", "2", "3", "4", "5"]
            let expected = await answers(bench, "alone", keys)
            #expect(expected[0].text == all)
            #expect(expected[1].text == [] && !expected[1].isMissing)
            #expect(expected[2].isMissing)
            #expect(expected[3].text == Array((column == "plain" ? "\\x" : "a").utf8))
            #expect(expected[4].isMissing)
            let sent = bench.database.status.loadsSent
            #expect(await answers(bench, "batched", keys) == expected)
            #expect(bench.database.status.loadsSent == sent + 1)
            await bench.stop()
        }
    }
}
