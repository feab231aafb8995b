import Groundwork
import Testing

@testable import Invalidation

@Suite struct NotifyPayloadTests {
    private static let account = TableName(schema: "public", name: "account")

    private static func read(_ text: String) -> NotifyPayload { NotifyPayload(Array(text.utf8)) }

    private static func rows(_ columns: [String], _ keys: [String?]...) -> NotifyPayload {
        .change(
            TableChange(
                table: account, what: .rows(columns: columns, keys: keys.map { $0.map { $0.map { Array($0.utf8) } } })))
    }

    @Test func `keys are read with their columns and their table`() {
        #expect(Self.read("pgs1k6:public7:account1;2:id4:47112:-x") == Self.rows(["id"], ["4711"], ["-x"]))
        #expect(
            Self.read("pgs1k6:public7:account2;1:a1:b1:x-0:3:y:z") == Self.rows(["a", "b"], ["x", nil], ["", "y:z"]))
        #expect(Self.read("pgs1k6:public7:account1;2:id--") == Self.rows(["id"], [nil], [nil]))
        #expect(Self.read("pgs1k6:public7:account0;") == Self.rows([]))
        #expect(Self.read("pgs1k6:public7:account1;2:id") == Self.rows(["id"]))
    }

    @Test func `a change of all rows is read`() {
        #expect(Self.read("pgs1a6:public7:account") == .change(TableChange(table: Self.account, what: .all)))
    }

    @Test func `texts may be in hexadecimal`() {
        #expect(
            Self.read("pgs1k6:public14x6163636f756e741;4x69644xc3a4") == Self.rows(["id"], ["ä"]))
    }

    @Test func `any name and any key may be in it`() {
        let table = TableName(schema: "a:1;", name: "\"7:x\"")
        #expect(
            Self.read("pgs1k4:a:1;5:\"7:x\"1;3:,\n:5:;;;;;")
                == .change(TableChange(table: table, what: .rows(columns: [",\n:"], keys: [[Array(";;;;;".utf8)]]))))
    }

    @Test(arguments: ["", "x", "pg", "PGS1a6:public7:account", " pgs1a6:public7:account", "heartbeat"])
    func `what does not begin like a trigger's is not one's`(text: String) {
        #expect(Self.read(text) == .foreign)
    }

    @Test(arguments: [
        "pgs", "pgs1", "pgs2a6:public7:account", "pgs1b6:public7:account", "pgs1a", "pgs1a6:public",
        "pgs1a6:public7:accoun", "pgs1a6:public7:account ", "pgs1a0:7:account", "pgs1a6:public0:",
        "pgs1k6:public7:account", "pgs1k6:public7:account1", "pgs1k6:public7:account1;", "pgs1k6:public7:account33;",
        "pgs1k6:public7:account0;1:x", "pgs1k6:public7:account0;-", "pgs1k6:public7:account1;2:id4:471",
        "pgs1k6:public7:account2;1:a1:b1:x", "pgs1k6:public7:account2;1:a1:a1:x1:y", "pgs1a6:public7x6163636f",
        "pgs1a6:public2xzz", "pgs1a6:public2xAB", "pgs1a99999999999999999999:public7:account",
        "pgs1a-1:public7:account",
        "pgs1a6:public2:\0\0", "pgs1a6;public7:account", "pgs1a000006:public7:account",
    ])
    func `what begins like a trigger's and can't be read may mean anything`(text: String) {
        #expect(Self.read(text) == .unreadable)
    }

    @Test func `a name that is not in UTF-8 can't be read`() {
        #expect(NotifyPayload(Array("pgs1a6:public2:".utf8) + [0xc3, 0x28]) == .unreadable)
        #expect(Self.read("pgs1a6:public4xc328") == .unreadable)
    }

    @Test func `a payload longer than any trigger's is not taken apart`() {
        #expect(Self.read("pgs1k6:public7:account1;2:id" + String(repeating: "-", count: 24_000)) == .unreadable)
    }

    @Test func `no beginning of a payload is taken for more than its whole keys`() throws {
        let whole = "pgs1k6:public7:account2;1:a2:bb3:x:y-10xc3a4c3a4c33:end"
        let keys = ["pgs1k6:public7:account2;1:a2:bb", "pgs1k6:public7:account2;1:a2:bb3:x:y-"]
        for count in 4..<whole.utf8.count {
            let beginning = String(decoding: Array(whole.utf8.prefix(count)), as: UTF8.self)
            let isWhole = keys.contains(beginning)
            #expect((Self.read(beginning) != .unreadable) == isWhole, "\(beginning)")
        }
    }

    /// As the triggers write it.
    static func written(_ change: TableChange, hexadecimal: Bool = false) -> [UInt8] {
        func text(_ bytes: [UInt8]) -> [UInt8] {
            guard hexadecimal else { return Array("\(bytes.count):".utf8) + bytes }
            let digits = bytes.flatMap { Array((String($0 >> 4, radix: 16) + String($0 & 15, radix: 16)).utf8) }
            return Array("\(digits.count)x".utf8) + digits
        }
        let table = text(Array(change.table.schema.utf8)) + text(Array(change.table.name.utf8))
        switch change.what {
        case .all: return Array("pgs1a".utf8) + table
        case .rows(let keys):
            let columns = keys.columns
            let names = columns.flatMap { text(Array($0.utf8)) }
            let texts = keys.arrays.flatMap { $0.flatMap { $0.map(text) ?? [UInt8(ascii: "-")] } }
            return Array("pgs1k".utf8) + table + Array("\(columns.count);".utf8) + names + texts
        }
    }

    @Test func `what is written is what is read`() {
        var random = SplitMix64(seed: 3)
        func bytes(_ most: Int) -> [UInt8] {
            (0..<Int.random(in: 0...most, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
        }
        func name() -> String {
            String(
                (0..<Int.random(in: 1...5, using: &random)).map { _ in "ab:;-0x1\"é表".randomElement(using: &random)! })
        }
        for _ in 0..<3_000 {
            let columns = Array(Set((0..<Int.random(in: 0...3, using: &random)).map { _ in name() })).sorted()
            let rows = columns.isEmpty ? 0 : Int.random(in: 0...5, using: &random)
            let keys = (0..<rows).map { _ in
                columns.map { _ in Int.random(in: 0...4, using: &random) == 0 ? nil : bytes(20) }
            }
            let what: TableChange.What =
                Int.random(in: 0...9, using: &random) == 0 ? .all : .rows(columns: columns, keys: keys)
            let change = TableChange(table: TableName(schema: name(), name: name()), what: what)
            for hexadecimal in [false, true] {
                #expect(NotifyPayload(Self.written(change, hexadecimal: hexadecimal)) == .change(change))
            }
        }
    }

    @Test func `mutated payloads are read or not, and never trap`() {
        var random = SplitMix64(seed: 11)
        let seeds = [
            "pgs1k6:public7:account2;1:a2:bb3:x:y-10xc3a4c3a4c33:end", "pgs1a6:public7:account", "pgs1k1:a1:b0;",
            "pgs1k14x7075626c69637:account1;2:id99999:x",
        ].map { Array($0.utf8) }
        var readable = 0
        for _ in 0..<200_000 {
            var bytes = seeds.randomElement(using: &random)!
            for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0...3, using: &random) {
                case 0: bytes[index] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: index)
                case 2: bytes.insert("0123456789:;x-ak".utf8.randomElement(using: &random)!, at: index)
                default: bytes.insert(contentsOf: bytes[index...], at: index)
                }
            }
            if case .change(let change) = NotifyPayload(bytes) {
                readable += 1
                if case .rows(let keys) = change.what { #expect(keys.arrays.count == keys.count) }
            }
        }
        #expect(readable > 1_000)
    }
}
