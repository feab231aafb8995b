import Foundation
import PrivateDatabase
import TestSupport
import Testing

/// However a row is asked for, no answer is older than a change that was told of.
@Suite(.timeLimit(.minutes(10)))
struct SpellingFreshnessTests {
    /// Texts of two values of a type, the second of which has no row at first.
    private struct Spelled {
        let type: String
        let there: [String]
        let absent: [String]
        var setup = ""
        /// How the query asks.
        var asks = "k = $1"
    }

    private static let types: [Spelled] = [
        Spelled(type: "smallint", there: ["7", "007", "+7", " 7 "], absent: ["-8", "-08"]),
        Spelled(type: "integer", there: ["7", "007", "\t7\n"], absent: ["0", "-0", "+0"]),
        Spelled(type: "bigint", there: ["9223372036854775807", "+9223372036854775807"], absent: ["8", "08"]),
        Spelled(type: "integer", there: ["7", "007"], absent: ["8", "08"], asks: "k::text = $1"),
        Spelled(type: "integer", there: ["7", "007"], absent: ["8", "08"], asks: "k = $1::text::int"),
        Spelled(type: "integer", there: ["7", "7.0", "07"], absent: ["8", "8e0"], asks: "k = $1::numeric"),
        Spelled(type: "numeric", there: ["7", "7.0", "07.00", "7e0", "70e-1"], absent: [".5", "0.50", "5e-1"]),
        Spelled(type: "numeric(8,2)", there: ["7", "7.0", "7.00"], absent: ["NaN", "nan", "NAN"]),
        Spelled(type: "real", there: ["0.1", ".1", "1e-1", "0.10"], absent: ["0", "-0", "0.0"]),
        Spelled(
            type: "double precision", there: ["0.1", ".1", "0.10000000000000001"],
            absent: ["1e20", "100000000000000000000"]),
        Spelled(type: "boolean", there: ["t", "true", "TRUE", " yes", "on", "1"], absent: ["f", "off", "0"]),
        Spelled(type: "text", there: ["a:b", "é"], absent: ["A", "a", " a"]),
        Spelled(
            type: "name", there: ["a"], absent: [String(repeating: "n", count: 63), String(repeating: "n", count: 70)]),
        Spelled(type: "char(6)", there: ["ab", "ab  ", "ab    "], absent: ["", "  "]),
        Spelled(type: "char(6)", there: ["ab", "ab  "], absent: ["c"], asks: "k = $1::text"),
        Spelled(type: "bytea", there: [#"\x6869"#, #"\x68 69"#, "hi", #"h\151"#], absent: ["", #"\x"#]),
        Spelled(
            type: "uuid",
            there: [
                "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
                "{a0eebc999c0b4ef8bb6d6bb9bd380a11}",
            ], absent: ["00000000-0000-0000-0000-000000000000", "{00000000000000000000000000000000}"]),
        Spelled(
            type: "date", there: ["2024-02-29", "20240229", "Feb 29, 2024"], absent: ["infinity", "0044-03-15 BC"]),
        Spelled(type: "time", there: ["04:05", "04:05:00", "4:05 AM"], absent: ["00:00", "00:00:00"]),
        Spelled(
            type: "timetz", there: ["04:05+02", "04:05:00+02", "04:05:00 +02:00"], absent: ["02:05Z", "02:05+00"]),
        Spelled(
            type: "timestamp", there: ["2024-02-29 04:05", "2024-02-29 04:05:00", "20240229 040500.0"],
            absent: ["epoch"]),
        Spelled(
            type: "timestamptz",
            there: ["2024-02-29 04:05Z", "2024-02-29T05:05:00+01", "2024-02-29 04:05:00+00"],
            absent: ["epoch", "1970-01-01 00:00:00+00"]),
        Spelled(type: "interval", there: ["1 day", "24:00", "P1D"], absent: ["1 mon", "30 days"]),
        Spelled(type: "inet", there: ["10.0.0.1", "10.0.0.1/32"], absent: ["::1", "0:0:0:0:0:0:0:1", "::0001"]),
        Spelled(type: "cidr", there: ["10.0.0.0/8", "10/8"], absent: ["2001:db8::/32", "2001:0DB8::/32"]),
        Spelled(type: "macaddr", there: ["08:00:2b:01:02:03", "08-00-2B-01-02-03"], absent: ["ff:ff:ff:ff:ff:ff"]),
        Spelled(type: "bit(4)", there: ["1010", "b1010", "xA"], absent: ["0000"]),
        Spelled(type: "oid", there: ["7", "007", "+7"], absent: ["4294967295", "-1"]),
        Spelled(type: "xid8", there: ["7", "007", "0x7"], absent: ["8"]),
        Spelled(type: "pg_lsn", there: ["16/B374D848", "16/b374d848"], absent: ["0/1A", "0/1a"]),
        Spelled(type: "money", there: ["7", "7.00", "$7.00"], absent: ["1,000.5", "1000.50"]),
        Spelled(type: "jsonb", there: [#"{"a":1,"b":2}"#, #"{"b":2, "a":1.0}"#], absent: ["7", "7.0"]),
        Spelled(type: "integer[]", there: ["{1,2}", "{ 1, 02 }"], absent: ["{}"]),
        Spelled(type: "int4range", there: ["[1,3)", "[1,2]"], absent: ["empty", "(5,5)"]),
        Spelled(
            type: "positive", there: ["7", "007"], absent: ["8"],
            setup: "create domain positive as int check (value > 0)"),
        Spelled(type: "mood", there: ["ok"], absent: ["sad"], setup: "create type mood as enum ('sad', 'ok')"),
        Spelled(
            type: "citext", there: ["Ada", "ADA", "ada"], absent: ["Ä", "ä"],
            setup: "create extension if not exists citext"),
        Spelled(
            type: "text collate anycase", there: ["Ada", "ADA"], absent: ["b", "B"],
            setup: "create collation anycase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"),
    ]

    private static func literal(_ text: String) -> String {
        "E'\(text.replacing("\\", with: "\\\\").replacing("'", with: "''"))'"
    }

    private static let oddSettings = """
        set datestyle = german; set timezone = 'Asia/Kathmandu'; set bytea_output = escape; set intervalstyle = iso_8601;
        set extra_float_digits = -10;
        """

    private static let oddOptions =
        "-c datestyle=German -c timezone=Asia/Kathmandu -c bytea_output=escape -c extra_float_digits=-10"

    @Test(arguments: [("notify", ""), ("notify", oddOptions), ("logical", ""), ("logical", oddOptions)])
    func `for every type, every spelling and every kind of change, whatever the sessions' settings are`(
        _ source: String, _ options: String
    ) async throws {
        let isLogical = source == "logical"
        let database = try await isLogical ? TestDatabase.fresh(["wal_level": "logical"]) : TestDatabase.shared()
        var sql = "create table marker(id int primary key, v int); insert into marker values (1, 0);"
        var groups = group("marker", "select v from marker where id = $1", "public.marker", "id")
        for (number, type) in Self.types.enumerated() {
            if !type.setup.isEmpty { sql += "\(type.setup);" }
            sql += "create table t\(number)(k \(type.type) primary key, v int);"
            sql += "insert into t\(number) values (\(Self.literal(type.there[0])), 0);"
            groups += group("g\(number)", "select v from t\(number) where \(type.asks)", "public.t\(number)", "k")
        }
        try await database.run(sql)
        let settings = """
            database: { url: "\(database.url)&options=\(Self.escaped(options))", connections: 2 }
            invalidation: { source: \(source) }
            defaults: { load_timeout: 5m }
            groups:
            \(groups)
            """
        try await install(settings)
        try await withSidecar(settings) { sidecar in
            let client = try sidecar.client()
            #expect(await eventually { (try? sidecar.info("invalidation_state")) == "live" })
            let all = Self.types.indices
            let changes = [
                all.map { "update t\($0) set v = v + 1;" },
                all.map { "insert into t\($0) values (\(Self.literal(Self.types[$0].absent[0])), 10);" },
                all.map { "update t\($0) set v = v + 1 where k = \(Self.literal(Self.types[$0].absent[0]));" },
                all.map { "delete from t\($0) where k = \(Self.literal(Self.types[$0].there[0]));" },
                all.map { "insert into t\($0) values (\(Self.literal(Self.types[$0].there.last ?? "")), 100);" },
                all.map { "update t\($0) set v = v + 1;" }, all.map { "truncate t\($0);" },
                all.map { "insert into t\($0) values (\(Self.literal(Self.types[$0].there[0])), 200);" },
            ]
            try await expectTruth(client, database)
            for (round, statements) in changes.enumerated() {
                // Twice, so that what may be kept is; and the marker is in memory, or its change would not be waited for.
                try await expectTruth(client, database)
                #expect(
                    try await eventually {
                        _ = try client.ask("GET", "marker:1")
                        return try client.ask("PGS.PEEK", "marker:1") == .bulk("\(round)")
                    })
                try await database.run("\(Self.oddSettings) begin; \(statements.joined()) commit;")
                try await database.run("update marker set v = \(round + 1) where id = 1")
                // Changes are told in the order of their commits.
                #expect(await eventually { (try? client.ask("GET", "marker:1")) == .bulk("\(round + 1)") })
                try await expectTruth(client, database)
            }
            // What is kept is kept: the plain spellings are hits.
            let before = try sidecar.statistics("g1")
            for spelling in ["7", "007", "\t7\n"] { _ = try client.ask("GET", "g1:\(spelling)") }
            let after = try sidecar.statistics("g1")
            #expect(after["loads"] == before["loads"])
        }
        if isLogical { await database.server.remove() }
    }

    private func group(_ name: String, _ sql: String, _ table: String, _ column: String) -> String {
        """
          \(name):
            sql: \(sql)
            returns: value
            ttl: 1h
            negative_ttl: 1h
            invalidate_on: [{ table: \(table), key: [\(column)] }]

        """
    }

    private static func escaped(_ text: String) -> String {
        text.replacing(" ", with: "%20").replacing("=", with: "%3D").replacing("/", with: "%2F")
    }

    /// Makes what the source needs in the database.
    private func install(_ settings: String) async throws {
        let folder = temporaryPath()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try settings.write(toFile: "\(folder)/a.yaml", atomically: true, encoding: .utf8)
        let program = try RunningProgram(
            [pgsidecarPath, "sql", "install", "--config", "a.yaml", "--apply"], in: folder)
        let end = await program.end(within: .seconds(120))
        try #require(end == .code(0), "\(program.errors)")
    }

    /// Asks under every spelling, alone and together: what comes is what the database has.
    private func expectTruth(_ client: TestClient, _ database: TestDatabase) async throws {
        var asked: [(key: String, spelling: String)] = []
        var sql = ""
        for (number, type) in Self.types.enumerated() {
            for spelling in type.there + type.absent {
                asked.append(("g\(number):\(spelling)", spelling))
                let condition = type.asks.replacing("$1", with: Self.literal(spelling))
                sql += "select coalesce((select v::text from t\(number) where \(condition)), '-');"
            }
        }
        let truth = try await database.run(sql).split(separator: "\n").map(String.init)
        try #require(truth.count == asked.count)
        for (key, expected) in zip(asked, truth) {
            let wanted: Reply = expected == "-" ? .null : .bulk(expected)
            #expect(try client.ask("GET", key.key) == wanted, "\(key.key)")
        }
        let together = try client.ask(["MGET"] + asked.map(\.key))
        #expect(together == .array(truth.map { $0 == "-" ? .null : .bulk($0) }))
    }
}

extension TestClient {
    fileprivate func ask(_ arguments: [String]) throws -> Reply {
        try send(arguments)
        return try receive()
    }
}
