import CacheCore
import Groundwork
public import Postgres
import Synchronization

/// What a change of a table makes stale: from the groups' rules to keys in the form that the cache has them. Immutable, but
/// for what the database tells of keys; copies share that.
public struct InvalidationMap: Sendable {
    /// What became stale in a group.
    public enum Stale: Sendable, Equatable {
        /// One key: the texts of its parts, joined by `:`.
        case key([UInt8])
        /// All of the group.
        case all
    }

    /// The groups, in the order given.
    public let groups: [InvalidatedGroup]

    private struct Dependence: Sendable {
        let group: Int
        let key: [String]
        let standing: RuleStanding

        /// Whether any change of the table concerns the whole group.
        var isWhole: Bool { key.isEmpty || standing.isWhole.load(ordering: .acquiring) }
    }

    /// By table, in the groups' order.
    private let dependences: [TableName: [Dependence]]
    /// By group, then in the order of its rules.
    private let standings: [[RuleStanding]]

    private static let separator = UInt8(ascii: ":")

    /// The rules of `groups`. What the database told of the keys of groups that `old` has with the same rules is still
    /// known.
    public init(_ groups: [InvalidatedGroup], after old: InvalidationMap? = nil) {
        self.groups = groups
        var dependences: [TableName: [Dependence]] = [:]
        let standings = groups.map { group in
            old?.standings(of: group) ?? group.rules.map { _ in RuleStanding() }
        }
        for (number, group) in groups.enumerated() {
            for (rule, standing) in zip(group.rules, standings[number]) {
                dependences[rule.table, default: []].append(
                    Dependence(group: number, key: rule.key, standing: standing))
            }
        }
        self.dependences = dependences
        self.standings = standings
    }

    private func standings(of group: InvalidatedGroup) -> [RuleStanding]? {
        groups.firstIndex { $0.group === group.group && $0.rules == group.rules }.map { standings[$0] }
    }

    /// Whether it has a group of that name with the same rules.
    func hasNamesake(of group: InvalidatedGroup) -> Bool {
        groups.contains { $0.group.name == group.group.name && $0.rules == group.rules }
    }

    /// Takes what the database told of the keys of a group, a verdict for each of its rules: where a table can't tell of them,
    /// any change of it concerns the whole group from now on. Any thread.
    public func note(_ verdicts: [KeyVerdict], ofGroup name: String) {
        for (group, standings) in zip(groups, standings) where group.group.name == name {
            for (verdict, standing) in zip(verdicts, standings) {
                switch verdict {
                case .keys: standing.isWhole.store(false, ordering: .releasing)
                case .whole, .missing: standing.isWhole.store(true, ordering: .releasing)
                }
            }
        }
    }

    /// The tables that any group depends on, in no particular order.
    public var tables: some Collection<TableName> & Sendable { dependences.keys }

    /// The columns by which rows of a table are known, each list as a rule has it and once; an empty list where any change
    /// concerns a whole group. Empty for a table that nobody depends on.
    public func columnLists(of table: TableName) -> [[String]] {
        var lists: [[String]] = []
        for dependence in dependences[table] ?? [] where !lists.contains(dependence.key) {
            lists.append(dependence.key)
        }
        return lists
    }

    /// The groups that depend on a table.
    public func groups(dependingOn table: TableName) -> [InvalidatedGroup] {
        var numbers: [Int] = []
        for dependence in dependences[table] ?? [] where numbers.last != dependence.group {
            numbers.append(dependence.group)
        }
        return numbers.map { groups[$0] }
    }

    /// Calls `body` with all that a change makes stale. Each group that is stale as a whole comes once, without its keys; a
    /// key may come more than once. O(rules of the table x keys).
    public func forEachStale(in change: TableChange, _ body: (InvalidatedGroup, Stale) -> Void) {
        guard let dependences = dependences[change.table] else { return }
        var rest = dependences[...]
        while let number = rest.first?.group {
            let own = rest.prefix { $0.group == number }
            rest = rest.dropFirst(own.count)
            let group = groups[number]
            switch change.what {
            case .all: body(group, .all)
            case .rows(let keys):
                if own.contains(where: \.isWhole) {
                    body(group, .all)
                } else {
                    for dependence in own { forEachKey(of: dependence.key, in: keys) { body(group, .key($0)) } }
                }
            }
        }
    }

    /// Keys of a group whose parts are in `wanted`, out of texts for some columns.
    private func forEachKey(of wanted: [String], in keys: KeyTexts, _ body: ([UInt8]) -> Void) {
        var indices: [Int] = []
        for column in wanted {
            guard let index = keys.columns.firstIndex(of: column) else { return }
            indices.append(index)
        }
        var key: [UInt8] = []
        keys.forEach { texts in
            key.removeAll(keepingCapacity: true)
            if Self.append(texts, at: indices, to: &key) { body(key) }
        }
    }

    /// Joins the texts at `indices`; false when nobody can ask for such a key. A key's text is split at its first separators, so
    /// no part but the last can have one; and a parameter is never NULL.
    private static func append(_ texts: borrowing KeyText, at indices: [Int], to key: inout [UInt8]) -> Bool {
        var start = 0
        for (part, index) in indices.enumerated() {
            guard let text = texts[index] else { return false }
            if part > 0 {
                if key[start...].contains(separator) { return false }
                key.append(separator)
            }
            start = key.count
            key.append(copying: text)
        }
        return true
    }
}

/// What the database told of a rule's key.
private final class RuleStanding: Sendable {
    /// Whether rows of the table can't be told by their keys. False while nothing is known: until then nothing is kept.
    let isWhole = Atomic<Bool>(false)
}
