import CacheCore
import Groundwork
import Postgres
import Testing

@testable import Invalidation

private struct NoGetter: Getter {
    func load(_ flight: consuming Flight) { flight.fail(LoadError(.query, "no getter")) }
}

@Suite struct InvalidationMapTests {
    private static let account = TableName(schema: "public", name: "account")
    private static let other = TableName(schema: "public", name: "other")

    /// What a change makes stale, as texts: `group:key`, or `group` as a whole.
    private func stale(_ change: TableChange, _ groups: (name: String, rules: [TableRule])...) throws -> [String] {
        let cache = Cache()
        let map = InvalidationMap(
            try groups.map { InvalidatedGroup(try Group($0.name, in: cache, getter: NoGetter()), rules: $0.rules) })
        var told: [String] = []
        map.forEachStale(in: change) { group, stale in
            switch stale {
            case .all: told.append(group.group.name)
            case .key(let key): told.append("\(group.group.name):\(String(decoding: key, as: UTF8.self))")
            }
        }
        return told
    }

    private func rows(_ columns: [String], _ keys: [String?]...) -> TableChange {
        TableChange(
            table: Self.account, what: .rows(columns: columns, keys: keys.map { $0.map { $0.map { Array($0.utf8) } } }))
    }

    private func rule(_ key: String..., table: TableName = account) -> TableRule { TableRule(table: table, key: key) }

    @Test func `a row makes the key stale that its columns make, in the order of the rule`() throws {
        let change = rows(["region", "id"], ["eu", "7"], ["us", "8"])
        #expect(try stale(change, ("a", [rule("id")])) == ["a:7", "a:8"])
        #expect(try stale(change, ("a", [rule("id", "region")])) == ["a:7:eu", "a:8:us"])
        #expect(try stale(change, ("a", [rule("region", "id")])) == ["a:eu:7", "a:us:8"])
    }

    @Test func `a table that nobody depends on makes nothing stale`() throws {
        #expect(try stale(TableChange(table: Self.other, what: .all), ("a", [rule("id")])).isEmpty)
    }

    @Test func `columns that a rule does not know a row by are for others`() throws {
        #expect(try stale(rows(["email"], ["x"]), ("a", [rule("id")]), ("b", [rule("email")])) == ["b:x"])
        #expect(try stale(rows(["id"], ["7"]), ("a", [rule("id", "region")])).isEmpty)
    }

    @Test func `any change flushes a group whose rule has no key, once`() throws {
        for change in [rows([], []), rows(["id"], ["7"], ["8"]), TableChange(table: Self.account, what: .all)] {
            #expect(try stale(change, ("a", [rule()]), ("b", [rule("id"), rule()])) == ["a", "b"])
        }
    }

    @Test func `rows without columns are nothing to a rule with a key`() throws {
        #expect(try stale(rows([], []), ("a", [rule("id")])).isEmpty)
    }

    @Test func `a change of all rows flushes each group of the table once`() throws {
        let change = TableChange(table: Self.account, what: .all)
        #expect(
            try stale(
                change, ("a", [rule("id"), rule("email")]), ("b", [rule("id", table: Self.other)]), ("c", [rule("id")]))
                == ["a", "c"])
    }

    @Test func `a row that two rules of a group know makes both keys stale`() throws {
        #expect(try stale(rows(["from", "to"], ["1", "2"]), ("a", [rule("from"), rule("to")])) == ["a:1", "a:2"])
    }

    @Test func `a NULL in a column of the key is nobody's key, and one elsewhere does not matter`() throws {
        let change = rows(["a", "b"], ["1", nil], [nil, "2"], [nil, nil])
        #expect(try stale(change, ("g", [rule("a", "b")])).isEmpty)
        #expect(try stale(change, ("g", [rule("a")])) == ["g:1"])
    }

    @Test func `a separator may stand in the last part and nowhere before`() throws {
        let change = rows(["a", "b"], ["x:y", "z"], ["x", "y:z"], [":", ""], ["", ":"])
        #expect(try stale(change, ("g", [rule("a", "b")])) == ["g:x:y:z", "g:::"])
        #expect(try stale(change, ("g", [rule("a")])) == ["g:x:y", "g:x", "g::", "g:"])
    }

    @Test func `a key that can be asked for is made of the parts that it is split into`() throws {
        var random = SplitMix64(seed: 7)
        for _ in 0..<2_000 {
            let parts = (0..<3).map { _ in
                String(
                    (0..<Int.random(in: 0...3, using: &random)).map { _ in
                        [":", "a", "b"].randomElement(using: &random)!
                    })
            }
            let told = try stale(rows(["a", "b", "c"], parts), ("g", [rule("a", "b", "c")]))
            let whole = parts.joined(separator: ":")
            let split = whole.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
            #expect(told == (split == parts ? ["g:\(whole)"] : []))
        }
    }

    @Test func `where a table can't tell of keys its changes are for the whole group, until it can`() throws {
        let cache = Cache()
        let rules = [rule("id"), rule("id", table: Self.other)]
        let map = InvalidationMap(
            try ["a", "b"].map {
                InvalidatedGroup(try Group($0, in: cache, getter: NoGetter()), rules: rules)
            })
        func stale(_ table: TableName) -> [String] {
            var told: [String] = []
            map.forEachStale(in: TableChange(table: table, what: .rows(columns: ["id"], keys: [[[55]]]))) {
                group, stale in
                switch stale {
                case .all: told.append(group.group.name)
                case .key(let key): told.append("\(group.group.name):\(String(decoding: key, as: UTF8.self))")
                }
            }
            return told
        }
        #expect(stale(Self.account) == ["a:7", "b:7"])
        map.note([.whole(why: "its type"), .keys([.text])], ofGroup: "a")
        #expect(stale(Self.account) == ["a", "b:7"])
        #expect(stale(Self.other) == ["a:7", "b:7"])
        map.note([.keys([.text]), .missing("no column")], ofGroup: "a")
        #expect(stale(Self.account) == ["a:7", "b:7"])
        #expect(stale(Self.other) == ["a", "b:7"])
    }

    @Test func `the tables and the columns by which rows are known are told`() throws {
        let cache = Cache()
        let rules = [
            [rule("id"), rule("id", "region")], [rule("id"), rule(table: Self.other)], [rule("id", table: Self.other)],
        ]
        let map = InvalidationMap(
            try rules.enumerated().map {
                InvalidatedGroup(try Group("g\($0)", in: cache, getter: NoGetter()), rules: $1)
            })
        #expect(Set(map.tables) == [Self.account, Self.other])
        #expect(map.columnLists(of: Self.account) == [["id"], ["id", "region"]])
        #expect(map.columnLists(of: Self.other) == [[], ["id"]])
        #expect(map.groups(dependingOn: Self.account).map(\.group.name) == ["g0", "g1"])
        #expect(map.groups(dependingOn: Self.other).map(\.group.name) == ["g1", "g2"])
        #expect(map.columnLists(of: TableName(schema: "public", name: "none")).isEmpty)
    }
}
