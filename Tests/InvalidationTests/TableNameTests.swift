import Groundwork
import Postgres
import Testing

@testable import Invalidation

@Suite struct TableNameTests {
    @Test(arguments: [
        ("public.account", "public", "account"), ("Public.ACCOUNT", "public", "account"),
        ("\"Public\".\"Acc.ount\"", "Public", "Acc.ount"), ("a.\"say \"\"no\"\"\"", "a", "say \"no\""),
        ("_a$1._", "_a$1", "_"), ("größe.ÄPFEL", "größe", "Äpfel"), ("s.\" \"", "s", " "),
    ])
    func `a table is written as in SQL`(text: String, schema: String, name: String) throws {
        #expect(try TableName(sql: text) == TableName(schema: schema, name: name))
    }

    @Test(arguments: [
        ("account", "has no schema; write 'public.account' if that is where the table is"),
        ("a.b.c", "has too many dots; write 'schema.table', and a name that has a dot in double quotes"),
        ("a.", "has an empty name"), (".a", "has an empty name"), ("", "has an empty name"),
        ("a.\"\"", "has an empty name"),
        ("a.\"b", "has a double quote without its end"),
        ("a.b-c", "has '-' where a name can't have it; put such a name in double quotes"),
        ("a. b", "has ' ' where a name can't have it; put such a name in double quotes"),
        ("a.1b", "has '1' where a name can't have it; put such a name in double quotes"),
        ("a.\"b\"c", "has 'c' where a name can't have it; put such a name in double quotes"),
        ("a.b\"c\"", "has '\"' where a name can't have it; put such a name in double quotes"),
        ("a.\"b\0\"", "contains a NUL byte"),
    ])
    func `what is no table's name is told with what would be right`(text: String, why: String) {
        #expect(throws: NameMistake(why: why)) { try TableName(sql: text) }
    }

    @Test func `a name of more bytes than PostgreSQL keeps is refused`() throws {
        let longest = String(repeating: "ä", count: 31) + "x"
        #expect(try SQLName.parts(of: longest) == [longest])
        #expect(throws: NameMistake(why: "has a name of 64 bytes; PostgreSQL's have 63 at most")) {
            try SQLName.parts(of: longest + "x")
        }
    }

    @Test func `any table is read again from what it is written as`() throws {
        var random = SplitMix64(seed: 1)
        let signs: [Character] = ["a", "Z", "\"", ".", " ", "ß", "1", "$", "_", "'", "\n", "\u{301}", "表"]
        for _ in 0..<2_000 {
            let name = {
                String((0..<Int.random(in: 1...6, using: &random)).map { _ in signs.randomElement(using: &random)! })
            }
            let table = TableName(schema: name(), name: name())
            #expect(try TableName(sql: table.description) == table)
            #expect(try SQLName.parts(of: SQLName.quoted(table.name)) == [table.name])
        }
    }
}
