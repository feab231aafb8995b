import CacheCore
import Foundation
import Groundwork
import Postgres
import PrivateDatabase
import TestSupport
import Testing

/// `docs/types.md` says what real answers are. `PGSIDECAR_WRITE_DOCS=1` writes it anew.
@Suite(.timeLimit(.minutes(10)))
struct TypeTableTests {
    private static let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "docs/types.md").path

    /// A type's name and a value, as SQL.
    private static let examples: [(type: String, sql: String)] = [
        ("smallint, integer, bigint", "9007199254740993::bigint"), ("numeric", "10.50::numeric"),
        ("numeric", "'NaN'::numeric"), ("real, double precision", "0.1::float8"),
        ("real, double precision", "1e300::float8"), ("real, double precision", "'Infinity'::float8"),
        ("money", "7::money"), ("boolean", "true"), ("text, varchar", "'Zoë \"Z\" \\'"),
        ("text, varchar", "E'two\\nlines'"),
        ("text, varchar", "''"), ("any type", "null::text"), ("char(6)", "'ab'::char(6)"), ("name", "'pg_class'::name"),
        ("\"char\"", "'a'::\"char\""), ("bytea", "'\\x6869ff'::bytea"),
        ("uuid", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'::uuid"),
        ("date", "'2024-02-29'::date"), ("time", "'04:05:06.7'::time"), ("time with time zone", "'04:05+02'::timetz"),
        ("timestamp", "'2024-02-29 04:05:06.7'::timestamp"),
        ("timestamp with time zone", "'2024-02-29 04:05+02'::timestamptz"),
        ("timestamp with time zone", "'infinity'::timestamptz"), ("interval", "'1 month 2 days 03:04'::interval"),
        ("json", "'{ \"b\": 1, \"a\": [null] }'::json"), ("jsonb", "'{ \"b\": 1, \"a\": [null] }'::jsonb"),
        ("jsonb", "'null'::jsonb"), ("integer[]", "'{1,NULL}'::int[]"), ("text[]", "array['a,b', 'c']"),
        ("text[]", "'{}'::text[]"),
        ("a composite", "row(1, 'x')::type_point"), ("a domain", "7::type_positive"), ("an enum", "'sad'::type_mood"),
        ("int4range", "'[1,2]'::int4range"), ("int4multirange", "'{[1,2]}'::int4multirange"),
        ("inet", "'10.0.0.1/32'::inet"), ("cidr", "'10/8'::cidr"), ("macaddr", "'08-00-2B-01-02-03'::macaddr"),
        ("bit, varbit", "b'101'"), ("oid", "7::oid"), ("regclass", "'pg_class'::regclass"), ("xid", "'7'::xid"),
        ("pg_lsn", "'16/b374d848'::pg_lsn"), ("point", "point(1,2)"), ("box", "box(point(1,2),point(3,4))"),
        ("tsvector", "to_tsvector('simple', 'fat cat')"), ("tsquery", "'fat & cat'::tsquery"),
        ("xml", "'<a b=\"c\"/>'::xml"),
        ("citext", "'Ada'::citext"), ("hstore", "'a=>1,b=>NULL'::hstore"),
    ]

    @Test func `the table of types in the documentation is what the answers are`() async throws {
        let server = try await Server.shared()
        _ = try await server.psql(
            """
            create type type_point as (x int, y text);
            create domain type_positive as int check (value > 0);
            create type type_mood as enum ('sad', 'ok');
            """)
        let getters = Self.examples.enumerated().flatMap { index, example in
            [
                QueryGetter(name: "row\(index)", sql: "select \(example.sql) as c", returns: .row),
                QueryGetter(name: "value\(index)", sql: "select \(example.sql) as c", returns: .value),
                QueryGetter(name: "rows\(index)", sql: "select \(example.sql) as c", returns: .rows),
            ]
        }
        let bench = try Bench(server.url + "&options=-c%20timezone%3DUTC", loops: 1, getters)
        var lines = ["| type | for example | in JSON | in a hash | as a value |", "|---|---|---|---|---|"]
        for (index, example) in Self.examples.enumerated() {
            let row = await bench.load("row\(index)", "")
            guard case .row(let json, let fields) = row else {
                Issue.record("\(example): \(row)")
                continue
            }
            #expect(await bench.load("rows\(index)", "") == .text("[\(json)]"), "\(example)")
            let inJSON = String(json.dropFirst(#"{"c":"#.count).dropLast())
            let outcome = await bench.outcomesTogether([(group: "value\(index)", key: "")])[0]
            lines.append(
                "| \(example.type) | \(code(example.sql)) | \(code(inJSON)) | \(fields["c"].map(code) ?? "left out, nil") | "
                    + "\(value(outcome, like: fields["c"])) |")
        }
        await bench.stop()
        let page = try String(contentsOfFile: Self.path, encoding: .utf8)
        let begin = try #require(page.range(of: "| type |"))
        let end = try #require(page.range(of: "\n\n", range: begin.lowerBound..<page.endIndex))
        let written = page.replacingCharacters(
            in: begin.lowerBound..<end.lowerBound, with: lines.joined(separator: "\n"))
        if ProcessInfo.processInfo.environment["PGSIDECAR_WRITE_DOCS"] == "1" {
            try written.write(toFile: Self.path, atomically: true, encoding: .utf8)
        }
        #expect(page == written)
    }

    private func code(_ text: String) -> String {
        let visible = text.replacing("\n", with: "⏎")
        return visible.isEmpty ? "empty" : "`\(visible)`"
    }

    /// "The same" as in the hash, unless it isn't.
    private func value(_ outcome: Outcome, like text: String?) -> String {
        guard case .success(let value) = outcome else { return "an error" }
        if value.isMissing { return "nil" }
        let bytes = value.text.withUnsafeBytes { Array($0) }
        if bytes == text.map({ Array($0.utf8) }) { return "the same" }
        return "the bytes " + bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
    }
}
