import CacheCore
import Groundwork
import PrivateDatabase
import TestSupport
import Testing

@testable import Postgres

/// One text stands for all that PostgreSQL takes for the same, however it is spelled and whoever says it.
@Suite(.timeLimit(.minutes(10)))
struct KeyFormTests {
    /// A type's form as the server tells it, with texts to try.
    struct Case: Sendable {
        let type: KeyType
        let form: KeyForm
    }

    /// The types of the catalog that have an equality, and what users make of them.
    private static let prepared = Task {
        let server = try await Server.shared()
        var sql = "create schema keyforms;\n"
        for type in KeyType.all where !type.setup.isEmpty { sql += "\(type.setup);\n" }
        for (index, type) in KeyType.all.enumerated() { sql += "create table keyforms.t\(index)(k \(type.name));\n" }
        // Each spelling read as the type, once by the server's own input; null where it is refused.
        sql += """
            create function keyforms.form(spelling text, type text, expression text) returns text language plpgsql as $$
            declare result text;
            begin
                execute 'select ' || replace(expression, '@', format('%L::%s', spelling, type)) into result;
                return result;
            exception when others then return null;
            end $$;
            """
        _ = try await server.psql("set search_path = keyforms, public;\n" + sql)
        let getters = KeyType.all.enumerated().map { index, _ in
            QueryGetter(
                name: "t\(index)", sql: "select k from keyforms.t\(index)", returns: .value,
                keyedBy: [KeyedTable(schema: "keyforms", name: "t\(index)", columns: ["k"])])
        }
        var settings = DatabaseSettings()
        settings.url = Secret(server.url)
        let connection = try PQConnection.connect(settings, for: .describe)
        guard connection.startPipelining() else { throw ConnectError(description: connection.errorText) }
        let session = DescribeSession(timeout: .seconds(60))
        var cases: [Case] = []
        for (index, type) in KeyType.all.enumerated() {
            let columns = try session.columns(of: getters[index].keyedBy[0], on: connection)
            let column = try #require(columns["k"])
            if let form = KeyForm(column) { cases.append(Case(type: type, form: form)) }
        }
        return (server: server, cases: cases)
    }

    /// What the server makes of spellings, in the session that `settings` describe.
    private func texts(
        _ spellings: [[UInt8]], _ type: String, _ expression: String, _ settings: String, on server: PrivatePostgres
    ) async throws -> [[UInt8]?] {
        let list = spellings.map(Self.hex).joined(separator: ",")
        let sql = """
            set search_path = keyforms, public; \(settings)
            select 'is:' || coalesce(encode(convert_to(keyforms.form(convert_from(decode(s, 'hex'), 'UTF8'), $t$\(type)$t$,
                $e$\(expression)$e$), 'UTF8'), 'hex'), 'null')
            from regexp_split_to_table('\(list)', ',') with ordinality a(s, n) order by n;
            """
        return try await server.psql(sql).split(separator: "\n").filter { $0.hasPrefix("is:") }.map { line in
            line == "is:null" ? nil : Self.bytes(line.dropFirst(3))
        }
    }

    private static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private static func bytes(_ hex: Substring) -> [UInt8] {
        var rest = hex
        var bytes: [UInt8] = []
        while rest.count > 1 {
            bytes.append(UInt8(rest.prefix(2), radix: 16) ?? 0)
            rest = rest.dropFirst(2)
        }
        return bytes
    }

    private static let fixed =
        "set datestyle = iso; set timezone = utc; set extra_float_digits = 1; set bytea_output = hex; set intervalstyle = postgres;"
    private static let odd = """
        set datestyle = german; set timezone = 'Asia/Kathmandu'; set extra_float_digits = 3; set bytea_output = escape;
        set intervalstyle = iso_8601; set standard_conforming_strings = off; set escape_string_warning = off;
        """

    /// The server's texts for a type's spellings: the form, under two sets of settings, and what it prints.
    private func check(_ tried: Case, _ spellings: [[UInt8]], on server: PrivatePostgres) async throws {
        let expression = tried.form.expression(of: "@")
        let type = tried.type.base
        let forms = try await texts(spellings, type, expression, Self.fixed, on: server)
        let output = try await texts(spellings, type, "format('%s', @)", Self.fixed, on: server)
        try #require(forms.count == spellings.count && output.count == spellings.count)
        for (index, spelling) in spellings.enumerated() {
            let name = "\(type) '\(String(decoding: spelling, as: UTF8.self))'"
            let form = forms[index]
            if tried.form.isOwnText(spelling) { #expect(form == spelling || form == nil, "\(name) is its own text") }
            if let other = tried.form.otherText(spelling) {
                #expect(form == other || form == nil, "\(name) as \(String(decoding: other, as: UTF8.self))")
            }
            if let form, let printed = output[index], let told = tried.form.textOfOutput(printed) {
                #expect(told == form, "\(name) as pgoutput has it")
            }
            if let form, tried.form.isOwnText(form) == false {
                // What the server alone can tell is not kept: that is slower and right.
                #expect(tried.form.otherText(form) == nil, "\(name): its own text is no other one's")
            }
        }
    }

    @Test func `whatever the session's settings are, a type's form is the same text`() async throws {
        let (server, cases) = try await Self.prepared.value
        for tried in cases {
            let spellings = tried.type.keys.map { Array($0.utf8) }
            let expression = tried.form.expression(of: "@")
            // The literals are read under the settings, too: what is printed and read again tells.
            let forms = try await texts(spellings, tried.type.base, expression, Self.fixed, on: server)
            let known = forms.compactMap(\.self)
            #expect(known.count == spellings.count, "\(tried.type.name): the server takes all of them")
            let again = try await texts(known, tried.type.base, expression, Self.odd, on: server)
            #expect(again == known, "\(tried.type.name)")
        }
    }

    @Test func `texts that PostgreSQL takes for equal have one form`() async throws {
        let (server, cases) = try await Self.prepared.value
        for tried in cases {
            let keys = tried.type.keys
            let forms = try await texts(
                keys.map { Array($0.utf8) }, tried.type.base, tried.form.expression(of: "@"), Self.fixed, on: server)
            func literal(_ key: String) -> String { "'\(key.replacing("'", with: "''"))'::\(tried.type.base)" }
            var sql = "set search_path = keyforms, public; \(Self.fixed)\n"
            for left in keys { for right in keys { sql += "select \(literal(left)) = \(literal(right));\n" } }
            let answers = try await server.psql(sql).split(separator: "\n").filter { $0 == "t" || $0 == "f" }
            try #require(answers.count == keys.count * keys.count)
            for (index, answer) in answers.enumerated() {
                let (left, right) = (index / keys.count, index % keys.count)
                #expect(
                    (answer == "t") == (forms[left] == forms[right]),
                    "\(tried.type.name): '\(keys[left])' and '\(keys[right])'")
            }
        }
    }

    @Test func `what is told of a text without the server is what the server tells`() async throws {
        let (server, cases) = try await Self.prepared.value
        var random = SplitMix64(seed: 9)
        for tried in cases {
            let extra = Self.more[tried.type.name] ?? []
            let seeds = (tried.type.keys + extra).map { Array($0.utf8) }
            let letters = Set(seeds.joined()).filter { $0 < 0x80 }.sorted() + Array(" \t\n\u{b}\u{c}\r+-0.:_xXe".utf8)
            var spellings = seeds
            while spellings.count < 400 {
                var text = seeds[Int(random.next() % UInt64(seeds.count))]
                for _ in 0...random.next() % 3 {
                    let offset = Int(random.next() % UInt64(text.count + 1))
                    let letter = letters[Int(random.next() % UInt64(letters.count))]
                    switch random.next() % 3 {
                    case 0: text.insert(letter, at: offset)
                    case 1: if offset < text.count { text.remove(at: offset) }
                    default: if offset < text.count { text[offset] = letter }
                    }
                }
                if !text.contains(0), String(validating: text, as: UTF8.self) != nil { spellings.append(text) }
            }
            try await check(tried, spellings, on: server)
        }
    }

    @Test func `every type that has a form has texts of its own, and forms are known of these types`() async throws {
        let (_, cases) = try await Self.prepared.value
        let known = Set(cases.map(\.type.name))
        for tried in cases {
            let texts = (tried.type.keys + (Self.more[tried.type.name] ?? [])).map { Array($0.utf8) }
            #expect(texts.contains { tried.form.isOwnText($0) }, "\(tried.type.name)")
        }
        for name in [
            "smallint", "integer", "bigint", "numeric", "text", "character varying", "character", "uuid", "boolean",
            "date",
            "timestamp with time zone", "bytea", "inet", "positive", "email", "mood", "citext", "oid",
            "double precision",
        ] { #expect(known.contains(name), "\(name)") }
        for name in [
            "jsonb", "money", "interval", "integer[]", "text[]", "int4range", "duo", "hstore", "text collate anycase",
            "tsvector", "regclass", "isbn",
        ] { #expect(!known.contains(name), "\(name)") }
    }

    /// Further texts to begin with.
    private static let more: [String: [String]] = [
        "integer": ["\u{b}12\u{c}\r", "-12", "+0", "00", "2147483648", "-2147483648", "0x1f", "1_000", "1e3", "0o7"],
        "bigint": ["9223372036854775808", "-9223372036854775808", "99999999999999999999"],
        "smallint": ["32767", "32768", "12"],
        "numeric": ["-7.50", "+.5", "5.", "-.0", "0.5", "-0.5", "1_0", "100", "0x1", "1e-3", "000.100"],
        "real": ["1000000", "999999", "0.001", "0.00001", "16777216", "123.456", "0.1234567"],
        "double precision": [
            "123456789012345", "1234567890123456", "0.0001", "0.00001", "1000000000000000", "0.3", "-2.5",
        ],
        "date": ["2024-02-30", "0001-01-01", "9999-12-31", "10000-01-01", "2024-2-9", "-infinity"],
        "time without time zone": ["04:05:06.5", "04:05:06.50", "24:00:00", "00:00:00", "04:05:60"],
        "time with time zone": ["04:05:00+02", "04:05:00-03:30", "04:05:00+02:00", "04:05:00-00", "04:05:00.5+00"],
        "timestamp without time zone": ["2024-02-29 04:05:06.5", "2024-02-29 04:05:00", "2024-02-29 24:00:00"],
        "timestamp(0) with time zone": ["2024-02-29 04:05:00+00"],
        "timestamp with time zone": ["2024-02-29 04:05:00+00", "2024-02-29 04:05:00.25+00", "2024-02-29 04:05:00+01"],
        "inet": [
            "10.0.0.255", "010.0.0.1", "1::", "::", "2001:db8::1", "1:2:3:4:5:6:7:8", "1:0:0:2:0:0:0:3",
            "::ffff:1.2.3.4",
            "::1:2", "fe80::1/64", "0.0.0.0/0",
        ],
        "cidr": ["10.0.0.1/32", "10.0.0.1", "1.0.0.0/8", "fe80::/10", "::1", "::1/128"],
        "macaddr8": ["08:00:2b:ff:fe:01:02:03"],
        "tid": ["(0,1)", "(4294967295,65535)"], "pg_lsn": ["16/B374D848", "0/1A", "16/0374D848", "FFFFFFFF/FFFFFFFF"],
        "boolean": ["t", "T", "o", "of", "ye", "1", "0"], "citext": ["ida", "IDA"], "xid8": ["18446744073709551616"],
        "bytea": [#"\x6869"#, #"\xABcd"#, #"\xabc"#], "oid": ["4294967296", "10", "010"],
        "character": ["", " ", "ab"], "name": [String(repeating: "n", count: 63), String(repeating: "n", count: 64)],
    ]
}

extension KeyForm {
    fileprivate func isOwnText(_ text: [UInt8]) -> Bool { text.withUnsafeBytes { isOwn($0) } }
    fileprivate func textOfOutput(_ output: [UInt8]) -> [UInt8]? {
        var text: [UInt8] = []
        return append(output: output.span.bytes, to: &text) ? text : nil
    }

    fileprivate func otherText(_ text: [UInt8]) -> [UInt8]? { text.withUnsafeBytes { isOwn($0) ? nil : rewritten($0) } }
}
