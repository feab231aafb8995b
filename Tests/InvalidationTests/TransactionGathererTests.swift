import Groundwork
import Postgres
import TestSupport
import Testing

@testable import Invalidation

struct TransactionGathererTests {
    private static let account = TableName(schema: "public", name: "account")

    /// Feeds a transaction of `messages`; gives what it changed.
    private func changes(
        _ messages: [[UInt8]], lists: [[String]] = [["id"]], bound: Int = 1 << 20
    ) throws -> [TableChange] {
        var gatherer = TransactionGatherer(
            bound: bound, columnLists: { $0 == Self.account ? lists : [] }, forms: { _, _ in .text })
        return try changes(messages, of: &gatherer)
    }

    private func changes(_ messages: [[UInt8]], of gatherer: inout TransactionGatherer) throws -> [TableChange] {
        for message in [PgOutputBytes.begin(5)] + messages {
            #expect(try gatherer.take(PgOutputMessage(parsing: message.span.bytes)) == nil)
        }
        let ended = try gatherer.take(PgOutputMessage(parsing: PgOutputBytes.commit().span.bytes))
        let transaction = try #require(ended)
        #expect(transaction.transaction == 5)
        #expect(transaction.begin == LogPosition(bytes: 100))
        #expect(transaction.end == LogPosition(bytes: 120))
        return transaction.changes
    }

    private func rows(_ keys: [[String?]], _ columns: [String] = ["id"]) -> [TableChange] {
        [
            TableChange(
                table: Self.account,
                what: .rows(columns: columns, keys: keys.map { $0.map { $0.map { Array($0.utf8) } } }))
        ]
    }

    private let all = [TableChange(table: account, what: .all)]

    @Test func `an insert, an update and a delete tell the key`() throws {
        #expect(try changes([PgOutputBytes.relation(), PgOutputBytes.insert([.text("7"), .null])]) == rows([["7"]]))
        #expect(
            try changes([PgOutputBytes.relation(), PgOutputBytes.update([.text("7"), .unchanged])]) == rows([["7"]]))
        #expect(
            try changes([PgOutputBytes.relation(), PgOutputBytes.delete("K", [.text("7"), .null])]) == rows([["7"]]))
    }

    @Test func `a change of the key tells the old and the new one`() throws {
        let update = PgOutputBytes.update(old: ("K", [.text("7"), .null]), [.text("8"), .text("m")])
        #expect(try changes([PgOutputBytes.relation(), update]) == rows([["7"], ["8"]]))
    }

    @Test
    func `a key outside of the replica identity makes updates and deletes concern the whole table, and inserts not`()
        throws
    {
        let mail = [["mail"]]
        let relation = PgOutputBytes.relation()
        #expect(
            try changes([relation, PgOutputBytes.insert([.text("7"), .text("m")])], lists: mail)
                == rows([["m"]], ["mail"]))
        #expect(try changes([relation, PgOutputBytes.update([.text("7"), .text("m")])], lists: mail) == all)
        #expect(try changes([relation, PgOutputBytes.delete("K", [.text("7"), .null])], lists: mail) == all)
    }

    @Test func `a full identity tells any key, and an old null is taken for not told`() throws {
        let relation = PgOutputBytes.relation([("id", true), ("mail", true)], identity: "f")
        let old: [PgOutputBytes.Column] = [.text("7"), .text("m")]
        let update = PgOutputBytes.update(old: ("O", old), [.text("7"), .text("n")])
        #expect(try changes([relation, update], lists: [["mail"]]) == rows([["m"], ["n"]], ["mail"]))
        let toNull = PgOutputBytes.update(old: ("O", old), [.text("7"), .null])
        #expect(try changes([relation, toNull], lists: [["mail"]]) == rows([["m"], [nil]], ["mail"]))
        // A partition whose own identity is less than its root's sends nulls for the rest.
        #expect(try changes([relation, PgOutputBytes.delete("O", [.text("7"), .null])], lists: [["mail"]]) == all)
    }

    @Test func `a long value that did not change is taken from the old row, or makes the whole table stale`() throws {
        let relation = PgOutputBytes.relation([("id", true), ("mail", true)], identity: "f")
        let update = PgOutputBytes.update(old: ("O", [.text("7"), .text("long")]), [.text("7"), .unchanged])
        #expect(try changes([relation, update], lists: [["mail"]]) == rows([["long"]], ["mail"]))
        #expect(try changes([relation, PgOutputBytes.update([.text("7"), .unchanged])], lists: [["mail"]]) == all)
    }

    @Test func `keys of several columns have them in the order of the list`() throws {
        let message = [
            PgOutputBytes.relation([("id", true), ("mail", true)], identity: "f"),
            PgOutputBytes.insert([.text("7"), .text("m")]),
        ]
        #expect(
            try changes(message, lists: [["mail", "id"], ["id"]]) == rows([["m", "7"]], ["mail", "id"]) + rows([["7"]]))
    }

    @Test func `rows that nobody knows one by one are told without keys`() throws {
        let messages = [
            PgOutputBytes.relation(), PgOutputBytes.insert([.text("7"), .null]),
            PgOutputBytes.insert([.text("8"), .null]),
        ]
        #expect(
            try changes(messages, lists: [[]]) == [TableChange(table: Self.account, what: .rows(columns: [], keys: []))]
        )
    }

    @Test func `a truncated table and one with a column that is not there are stale as a whole`() throws {
        #expect(try changes([PgOutputBytes.relation(), PgOutputBytes.truncate([1])]) == all)
        #expect(
            try changes([PgOutputBytes.relation(), PgOutputBytes.insert([.text("7"), .null])], lists: [["gone"]]) == all
        )
    }

    @Test func `beyond the bound a transaction keeps no keys, and goes on`() throws {
        var messages = [PgOutputBytes.relation()]
        for number in 0..<100 { messages.append(PgOutputBytes.insert([.text("\(number)"), .null])) }
        // Ten texts of one byte and ninety of two.
        let cost = 10 * KeyTexts.cost(ofTextOf: 1) + 90 * KeyTexts.cost(ofTextOf: 2)
        #expect(try changes(messages, bound: cost - 1) == all)
        #expect(try changes(messages, bound: cost) == rows((0..<100).map { ["\($0)"] }))
    }

    @Test func `a definition that changed, a name that moved and a table made anew are stale as a whole`() throws {
        let row = PgOutputBytes.insert([.text("7"), .null])
        for changed in [
            PgOutputBytes.relation([("id", true), ("mail", false), ("more", false)]),
            PgOutputBytes.relation(identity: "f"), PgOutputBytes.relation(name: "other"),
            PgOutputBytes.relation(id: 2),
        ] {
            var gatherer = TransactionGatherer(
                bound: 1 << 20, columnLists: { $0 == Self.account ? [["id"]] : [] }, forms: { _, _ in .text })
            #expect(try changes([PgOutputBytes.relation(), row], of: &gatherer) == rows([["7"]]))
            // The same again says nothing new.
            #expect(try changes([PgOutputBytes.relation(), row], of: &gatherer) == rows([["7"]]))
            #expect(try changes([changed], of: &gatherer) == all)
        }
    }

    @Test func `tables that nobody depends on leave nothing`() throws {
        #expect(
            try changes([
                PgOutputBytes.relation(id: 4, name: "other"), PgOutputBytes.insert([.text("7"), .null], of: 4),
            ]) == [])
    }

    @Test func `a key is told in the form of its type, and where that is not known the whole table is stale`() throws {
        let row = PgOutputBytes.insert([.text("1.50"), .null])
        for (form, expected) in [
            (KeyForm.numeric, rows([["1.5"]])), (nil, all), (.caseless(lowersI: false), rows([["1.50"]])),
        ] {
            var gatherer = TransactionGatherer(
                bound: 1 << 20, columnLists: { _ in [["id"]] }, forms: { _, _ in form })
            #expect(try changes([PgOutputBytes.relation(), row], of: &gatherer) == expected)
            gatherer.use { _, _ in .text }
            #expect(try changes([row], of: &gatherer) == rows([["1.50"]]))
        }
    }

    @Test func `messages out of order are refused`() {
        for messages in [
            [PgOutputBytes.commit()], [PgOutputBytes.begin(1), PgOutputBytes.begin(2)],
            [PgOutputBytes.relation(), PgOutputBytes.insert([.text("7"), .null])],
            [PgOutputBytes.begin(1), PgOutputBytes.insert([.text("7"), .null])],
            [PgOutputBytes.begin(1), PgOutputBytes.truncate([9])],
        ] {
            var gatherer = TransactionGatherer(bound: 1 << 20, columnLists: { _ in [["id"]] }, forms: { _, _ in .text })
            #expect(throws: PgOutputError.self) {
                for message in messages { _ = try gatherer.take(PgOutputMessage(parsing: message.span.bytes)) }
            }
        }
    }

    @Test func `a stream that describes ever more tables is refused`() {
        var gatherer = TransactionGatherer(bound: 1 << 20, columnLists: { _ in [] }, forms: { _, _ in .text })
        #expect(throws: PgOutputError.tooManyRelations) {
            for id in 0...UInt32(RelationCache.bound) {
                _ = try gatherer.take(
                    PgOutputMessage(parsing: PgOutputBytes.relation(id: id, name: "t\(id)").span.bytes))
            }
        }
    }
}
