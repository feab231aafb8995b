import CacheCore
import Testing

@testable import Postgres

struct QueryTextTests {
    @Test(arguments: [
        ("select 1", 0), ("select $1", 1), ("select $2, $1, $2", 2), ("select '$1', $2", 2), ("select \"$3\"", 0),
        ("select 'it''s $4'", 0), (#"select e'\'$5', $1"#, 1), (#"select '\', $1"#, 1), ("select 1 -- $6", 0),
        ("select /* $7 /* $8 */ $9 */ $1", 1), ("select $$ $2 $$, $1", 1), ("select $a$ $2 $$ $3 $a$, $1", 1),
        ("select a$1 from t", 0), ("select e'a'\n -- b\n'\\'$1', $2", 2), ("select e'a' '\\', $1, '", 1),
        ("select e'''\\'$1'", 0), ("select $1::text||$2", 2), ("select $99999999999999999999", 65_536), ("select $", 0),
    ])
    func `parameters are counted where they are parameters`(sql: String, count: Int) {
        #expect(QueryText(sql).parameterCount == count)
    }

    @Test(arguments: [
        ("select 1;", "select 1"), ("select 1 ; ; -- x", "select 1"), ("  select 1 /* ; */ ;\n", "  select 1"),
        ("select ';'", "select ';'"), ("select 1 -- ;\n, 2", "select 1 -- ;\n, 2"), ("", ""), (";", ""), ("-- x", ""),
        ("select $$;$$;", "select $$;$$"), ("select 1 /* open", "select 1 /* open"), ("select 'open;", "select 'open;"),
        (#"select 'ö' as "ä";"#, #"select 'ö' as "ä""#),
    ])
    func `what stands behind the statement is left out`(sql: String, statement: String) {
        #expect(QueryText(sql).statement == statement)
        #expect(QueryText(sql).secondStatement == nil)
    }

    @Test func `several statements are seen`() {
        #expect(QueryText("select 1;\n select 2;select 3").secondStatement == QueryText.Position(line: 2, column: 2))
        #expect(QueryText("; select 1;;").secondStatement == nil)
        #expect(QueryText("; select 1;;").statement == "  select 1")
    }

    @Test(arguments: [
        ("copy account to stdout", "copy"), ("-- all\n /* of it */ CoPy(select 1) to stdout", "copy"),
        (";copy t from stdin", "copy"), ("((SELECT 1))", "select"), ("( /* x */ with a as (select 1) table a)", "with"),
        ("select copy from t", "select"), ("copying", "copying"), ("\"copy\"", ""), ("", ""), ("1 select", ""),
    ])
    func `the first word is seen`(sql: String, word: String) {
        #expect(QueryText(sql).firstWord == word)
    }

    @Test(
        arguments: [
            ("select ?", "?"), ("select ':a', a::int, :b", ":b"), ("select a % s", nil), ("select a %s", "%s"),
            ("select a %size", nil), ("select %(a b)s", "%(a b)s"), ("select %(a", nil), ("select a[1:2]", nil),
            ("select $tag$ ? $tag$, $tag", "$tag"), ("-- ?\nselect $1", nil), ("select $1, @x", "@x"),
            ("select \"?\"", nil), ("?", "?"), ("%", nil), (":", nil), ("$", nil),
        ] as [(String, String?)])
    func `what other databases take for parameters is seen`(sql: String, spelling: String?) {
        #expect(QueryText(sql).foreignParameter?.spelling == spelling)
    }

    @Test func `every cut of a text is scanned without harm`() {
        let sql = #"select e'\'', $tag$ ; $tag$, $1 /* /* */ */ -- "x"#
        for length in 0...sql.utf8.count {
            _ = QueryText(String(decoding: Array(sql.utf8.prefix(length)), as: UTF8.self))
        }
    }

    @Test func `statement names are stable, safe and tell groups and texts apart`() {
        func name(_ group: String, _ sql: String, generation: UInt64 = 1) -> String {
            Statement(of: QueryText(sql), group: group, returns: .value).name(generation: generation)
        }
        #expect(name("account", "select 1") == name("account", "select 1"))
        #expect(name("account", "select 1") != name("account", "select 2"))
        #expect(name("a b", "select 1") != name("a_b", "select 1"))
        let long = name(String(repeating: "ö\"; x", count: 40), "select 1", generation: 4_000_000_000)
        #expect(long.utf8.count <= 63)
        #expect(
            long.utf8.allSatisfy {
                $0 == UInt8(ascii: "_") || Character(UnicodeScalar($0)).isLetter
                    || Character(UnicodeScalar($0)).isNumber
            })
    }

    @Test func `a key is split at the first separators only`() throws {
        func parts(_ key: String, _ count: Int) throws -> [String] {
            try KeyParts(of: Key(key), count: count).withParameters { number, texts in
                (0..<Int(number)).map { index in texts?[index].map { String(cString: $0) } ?? "" }
            }
        }
        #expect(try parts("", 0) == [])
        #expect(try parts("", 1) == [""])
        #expect(try parts("a:b:c", 1) == ["a:b:c"])
        #expect(try parts("a:b:c", 2) == ["a", "b:c"])
        #expect(try parts("a::", 3) == ["a", "", ""])
        #expect(try parts(":::x", 3) == ["", "", ":x"])
        #expect(throws: KeyParts.Mistake.wrongCount(expected: 3, found: 2)) { try parts("a:b", 3) }
        #expect(throws: KeyParts.Mistake.wrongCount(expected: 0, found: 1)) { try parts("a", 0) }
        #expect(throws: KeyParts.Mistake.zeroByte) { try parts("a\0b", 1) }
    }
}
