import Groundwork
import Postgres
import PrivateDatabase
import TestSupport
import Testing

/// What the scanner sees in SQL is what the server sees.
@Suite(.timeLimit(.minutes(10)))
struct QueryTextServerTests {
    /// Makes queries out of all that PostgreSQL's lexical rules know, with parameters in their order.
    private struct Writer {
        var random: SplitMix64
        var parameters = 0

        mutating func query() -> String {
            parameters = 0
            let columns = (0..<Int.random(in: 1...6, using: &random)).map { "\(column()) as c\($0)" }
            return gap() + "select" + gap() + columns.joined(separator: gap() + "," + gap()) + gap() + tail()
        }

        private mutating func one(of choices: [String]) -> String {
            choices[Int.random(in: 0..<choices.count, using: &random)]
        }

        private mutating func parameter() -> String {
            // Now and then one that was there before.
            if parameters > 0, Int.random(in: 0..<4, using: &random) == 0 {
                return "$\(Int.random(in: 1...parameters, using: &random))"
            }
            parameters += 1
            return "$\(parameters)"
        }

        private mutating func column() -> String {
            switch Int.random(in: 0..<9, using: &random) {
            case 0: return parameter() + "::text"
            case 1: return parameter() + "::int+" + parameter() + "::int"
            case 2: return text() + "||" + parameter() + "::text"
            case 3: return "(select a$1 from (select 1 as a$1) \"$7 \"\" ; '\")"
            case 4: return "1::int4-" + parameter() + "::int"
            case 5: return "(array[1,2])[1:" + parameter() + "::int]"
            case 6: return "'{}'::jsonb ? " + parameter() + "::text"
            case 7: return "coalesce(" + text() + gap() + "," + gap() + text() + ")"
            default: return text()
            }
        }

        private mutating func text() -> String {
            one(of: [
                "''", "'$8'", "'it''s ; $8'", #"'\'"#, "'--'", "'/*'", "'\"'", "'$$'", "'größe 😀'", #"e'\'$8'"#,
                #"E'\\'"#, #"e'''\''"#,
                "e'a'\n'\\'$8'", "e'a' -- b '\n  '\\';'", "'a'\n'b\\'", #"U&'\0061'"#, "U&'!0061;' uescape '!'",
                #"U&'d!0061''' uescape '!'"#,
                "b'101'::text", "x'1f'::text", "n'$8'::text", "$$ $8 ; ' $$", "$a$ $$ $8 $b$ ' $a$", "$é$;$é$",
                "$_1$ $_ $_1$", "$$'$$",
                "$q$$8$q$", "$$--$$", "$$/*$$", "current_user::text",
            ])
        }

        private mutating func gap() -> String {
            one(of: [
                " ", "\n", "\t", " \r\n", "/* $9 */", "/**/", "/* /* ' */ $$ */", " -- $9 ' ; \n", " --\n", "/* -- */",
                "/*/**/*/", " /* \" */ ",
                "--é\r",
            ])
        }

        private mutating func tail() -> String {
            one(of: ["", ";", " ; ", ";;", "-- ; select", "/* ; */ ;", " where true;", ";\n-- end\n;", " order by 1"])
        }
    }

    private func describe(_ queries: [String], _ returns: QueryGetter.Returns = .rows) async throws -> [(
        QueryGetter, GroupDescription
    )] {
        let server = try await Server.shared()
        let getters = queries.enumerated().map { QueryGetter(name: "g\($0)", sql: $1, returns: returns) }
        let bench = try Bench(server.url, loops: 1, settings: { $0.connections = 1 }, getters)
        let descriptions = try await bench.database.describe()
        await bench.stop()
        return Array(zip(getters, descriptions))
    }

    @Test func `of every query the server counts the same parameters, and takes it wrapped`() async throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var writer = Writer(random: SplitMix64(seed: seed))
        var counts: [Int] = []
        let queries = (0..<400).map { _ in
            let query = writer.query()
            counts.append(writer.parameters)
            return query
        }
        for (index, (getter, description)) in try await describe(queries).enumerated() {
            #expect(description.mistake == nil, "seed \(seed): \(queries[index])")
            #expect(getter.keyParts == counts[index], "seed \(seed): \(queries[index])")
            #expect(description.parameters.count == counts[index], "seed \(seed): \(queries[index])")
        }
    }

    @Test func `of a query with a byte too few or too many the server counts the same parameters, if it takes it`()
        async throws
    {
        let seed = UInt64.random(in: 0...UInt64.max)
        var writer = Writer(random: SplitMix64(seed: seed))
        let queries = (0..<1000).map { _ in
            var query = Array(writer.query().unicodeScalars)
            for _ in 0..<Int.random(in: 1...2, using: &writer.random) {
                let offset = Int.random(in: 0..<query.count, using: &writer.random)
                if Bool.random(using: &writer.random) {
                    query.remove(at: offset)
                } else {
                    let odd = Array("'\"$;\\/*-\n e?:é(1".unicodeScalars)
                    query.insert(odd[Int.random(in: 0..<odd.count, using: &writer.random)], at: offset)
                }
                if query.isEmpty { break }
            }
            var text = String.UnicodeScalarView()
            text.append(contentsOf: query)
            return String(text)
        }
        var taken = 0
        for (index, (getter, description)) in try await describe(queries).enumerated() {
            if description.mistake == nil {
                taken += 1
                #expect(getter.keyParts == description.parameters.count, "seed \(seed): \(queries[index])")
            } else {
                // Refused by the server or before it, and never because the two disagree.
                #expect(
                    description.mistake?.message.contains("seems to have") == false,
                    "seed \(seed): \(queries[index]) \(description)")
            }
        }
        #expect(taken > 50)
    }

    @Test func `where strings are not PostgreSQL's the disagreement is told`() async throws {
        let server = try await Server.shared()
        let getter = QueryGetter(name: "g", sql: #"select '\', $1, '::text as a"#, returns: .rows)
        let bench = try Bench(server.url + "&options=-c%20standard_conforming_strings%3Doff", [getter])
        let mistake = try #require(try await bench.database.describe()[0].mistake)
        #expect(mistake.message == "the server counts 0 parameters where the SQL seems to have 1")
        await bench.stop()
    }
}
