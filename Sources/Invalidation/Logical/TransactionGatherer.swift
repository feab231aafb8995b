public import Postgres

/// What a committed transaction did to tables that somebody depends on.
public struct CommittedTransaction: Equatable, Sendable {
    /// The lower half of its number.
    public var transaction: UInt32
    /// Where its commit begins in the log.
    public var begin: LogPosition
    /// Where its commit ends.
    public var end: LogPosition
    /// What it changed; empty when it touched nothing that matters.
    public var changes: [TableChange]
    /// About the memory that the changes take, in bytes.
    public var bytes: Int

    /// Forgets the keys: of each table that was touched, anything may have changed.
    public mutating func collapse() {
        var tables: [TableName] = []
        for change in changes where !tables.contains(change.table) { tables.append(change.table) }
        changes = tables.map { TableChange(table: $0, what: .all) }
        bytes = 0
    }
}

/// Gathers the messages of one stream to transactions. Keeps of a row the columns that somebody knows it by, and of a
/// transaction no more than a bound: beyond it all of each table that it touches counts as changed.
public struct TransactionGatherer {
    /// How a column's values are written as keys; nil when that is not known of its type.
    public typealias Forms = (TableName, Relation.Column) -> KeyForm?

    private let columnLists: (TableName) -> [[String]]
    private var forms: Forms
    private let bound: Int
    private var relations = RelationCache()
    private var plans: [UInt32: (relation: Relation, plan: RelationPlan)] = [:]
    private var open: OpenTransaction?

    private struct OpenTransaction {
        let number: UInt32
        var changes = GatheredChanges()
    }

    /// A gatherer for a new stream.
    ///
    /// - Parameters:
    ///   - bound: What the keys of one transaction may take, in bytes.
    ///   - columnLists: The lists of columns by which rows of a table are known; see ``InvalidationMap/columnLists(of:)``.
    public init(bound: Int, columnLists: @escaping (TableName) -> [[String]], forms: @escaping Forms) {
        self.bound = bound
        self.columnLists = columnLists
        self.forms = forms
    }

    /// Writes keys by `forms` from now on.
    public mutating func use(_ forms: @escaping Forms) {
        self.forms = forms
        for (id, known) in plans { plans[id] = (known.relation, plan(for: known.relation)) }
    }

    private func plan(for relation: Relation) -> RelationPlan {
        RelationPlan(relation, columnLists(relation.table)) { forms(relation.table, $0) }
    }

    /// Takes the next message; returns a transaction when it ends one.
    public mutating func take(_ message: borrowing PgOutputMessage) throws(PgOutputError) -> CommittedTransaction? {
        switch message {
        case .begin(_, let number):
            guard open == nil else { throw .outOfOrder }
            open = OpenTransaction(number: number)
        case .commit(let record, let end):
            guard let ended = open else { throw .outOfOrder }
            open = nil
            return CommittedTransaction(
                transaction: ended.number, begin: record, end: end, changes: ended.changes.tableChanges,
                bytes: ended.changes.bytes)
        case .relation(let relation): try describe(relation)
        case .insert(let id, let new):
            try gather(id) { $0.insert(new, into: &$1) }
        case .update(let id, let old, let new):
            try gather(id) { $0.update(old, new, into: &$1) }
        case .delete(let id, let old):
            try gather(id) { $0.delete(old, into: &$1) }
        case .truncate(let tables):
            for index in 0..<tables.count {
                try gather(tables[index]) { $1.noteAll(of: $0) }
            }
        case .origin, .type, .message: break
        }
        return nil
    }

    /// A table that is described anew has changed its definition: what is kept of it may have another form.
    private mutating func describe(_ relation: Relation) throws(PgOutputError) {
        let changed = try relations.set(relation)
        plans[relation.id] = (relation, plan(for: relation))
        guard !changed.isEmpty else { return }
        guard var current = open.take() else { throw .outOfOrder }
        for table in changed { current.changes.noteAll(of: RelationPlan(of: table, columnLists(table))) }
        open = current
    }

    private mutating func gather(
        _ id: UInt32, _ body: (RelationPlan, inout GatheredChanges) -> Void
    ) throws(PgOutputError) {
        guard let plan = plans[id]?.plan else { throw .unknownRelation(id) }
        // Taken out and put back: what is gathered is never copied.
        guard var current = open.take() else { throw .outOfOrder }
        if !plan.lists.isEmpty { body(plan, &current.changes) }
        if current.changes.bytes > bound { current.changes.collapse() }
        open = current
    }
}

/// What of a table's rows is kept.
struct RelationPlan {
    /// A list of columns by which rows are known.
    struct ColumnList {
        let columns: [String]
        /// Where they stand among those that are wanted; nil when the table has no such column, or does not publish it.
        let indexes: [Int]?
        /// Whether an old row tells them all.
        let isIdentity: Bool
    }

    let table: TableName
    let lists: [ColumnList]
    /// The indexes in a tuple of the columns that any list has, in ascending order.
    let wanted: [Int]
    /// How their values are written as keys.
    private let forms: [KeyForm?]

    init(_ relation: Relation, _ columnLists: [[String]], _ form: (Relation.Column) -> KeyForm?) {
        table = relation.table
        var indexes: [String: Int] = [:]
        for (index, column) in relation.columns.enumerated() { indexes[column.name] = index }
        let wanted = Set(columnLists.joined().compactMap { indexes[$0] }).sorted()
        self.wanted = wanted
        forms = wanted.map { form(relation.columns[$0]) }
        lists = columnLists.map { columns in
            let own = columns.compactMap { indexes[$0] }
            return ColumnList(
                columns: columns,
                indexes: own.count == columns.count ? own.compactMap { wanted.firstIndex(of: $0) } : nil,
                isIdentity: own.allSatisfy { relation.columns[$0].isIdentity })
        }
    }

    /// For a table of which nothing is known.
    init(of table: TableName, _ columnLists: [[String]]) {
        self.table = table
        wanted = []
        forms = []
        lists = columnLists.map { ColumnList(columns: $0, indexes: nil, isIdentity: false) }
    }

    /// The wanted columns of a tuple.
    func parts(of tuple: borrowing Tuple) -> [Part] {
        var parts: [Part] = []
        parts.reserveCapacity(wanted.count)
        tuple.forEach { index, column in
            guard parts.count < wanted.count else { return false }
            guard index == wanted[parts.count] else { return true }
            switch column {
            case .null: parts.append(.null)
            case .text(let text):
                let own = forms[parts.count]?.text(ofOutput: text.withUnsafeBytes { Array($0) })
                parts.append(own.map { .text($0) } ?? .unknown)
            case .unchanged, .binary: parts.append(.unknown)
            }
            return true
        }
        while parts.count < wanted.count { parts.append(.unknown) }
        return parts
    }

    /// Those of an old tuple, which has null for what is not told, too. The server describes a partition's rows by its root,
    /// whose replica identity may have more columns than the partition's.
    private func oldParts(of tuple: borrowing Tuple) -> [Part] {
        parts(of: tuple).map { $0 == .null ? .unknown : $0 }
    }

    /// One column's value.
    enum Part: Equatable {
        case unknown, null
        case text([UInt8])
    }

    func insert(_ new: borrowing Tuple, into changes: inout GatheredChanges) {
        let new = parts(of: new)
        for (index, list) in lists.enumerated() { changes.note(list.key(new), of: self, index) }
    }

    func update(_ old: borrowing OldTuple, _ new: borrowing Tuple, into changes: inout GatheredChanges) {
        var new = parts(of: new)
        let before: [Part]
        switch old {
        case .absent:
            // The identity is as it was: the new row tells it.
            for (index, list) in lists.enumerated() {
                changes.note(list.isIdentity ? list.key(new) : nil, of: self, index)
            }
            return
        case .identity(let tuple), .whole(let tuple): before = oldParts(of: tuple)
        }
        // Long values that did not change are sent with the old row alone.
        for index in new.indices where new[index] == .unknown { new[index] = before[index] }
        for (index, list) in lists.enumerated() {
            let (oldKey, newKey) = (list.isIdentity ? list.key(before) : nil, list.key(new))
            changes.note(oldKey, of: self, index)
            if oldKey != newKey { changes.note(newKey, of: self, index) }
        }
    }

    func delete(_ old: borrowing OldTuple, into changes: inout GatheredChanges) {
        let before: [Part]
        switch old {
        case .absent: before = []
        case .identity(let tuple), .whole(let tuple): before = oldParts(of: tuple)
        }
        for (index, list) in lists.enumerated() {
            changes.note(list.isIdentity && !before.isEmpty ? list.key(before) : nil, of: self, index)
        }
    }
}

extension RelationPlan.ColumnList {
    /// The key in a row; nil when the row does not tell it.
    func key(_ parts: [RelationPlan.Part]) -> [[UInt8]?]? {
        guard let indexes else { return nil }
        var key: [[UInt8]?] = []
        key.reserveCapacity(indexes.count)
        for index in indexes {
            switch parts[index] {
            case .unknown: return nil
            case .null: key.append(nil)
            case .text(let text): key.append(text)
            }
        }
        return key
    }
}

/// What an open transaction changed so far.
struct GatheredChanges {
    private enum Rows {
        case keys([[[UInt8]?]])
        /// Not to be told, or too many.
        case all
    }

    private struct Target: Hashable {
        let table: TableName
        let list: Int
    }

    private var order: [(target: Target, columns: [String])] = []
    private var rows: [Target: Rows] = [:]
    private var isCollapsed = false
    /// About the memory that the keys take.
    private(set) var bytes = 0

    /// Notes a row by one of its table's lists; a nil key is any row.
    mutating func note(_ key: [[UInt8]?]?, of plan: RelationPlan, _ list: Int) {
        let target = Target(table: plan.table, list: list)
        let isNew = rows[target] == nil
        if isNew { order.append((target, plan.lists[list].columns)) }
        guard let key, !isCollapsed else {
            rows[target] = .all
            return
        }
        if plan.lists[list].columns.isEmpty {
            // Nobody knows these rows one by one.
            if isNew { rows[target] = .keys([]) }
            return
        }
        switch rows.updateValue(.all, forKey: target) {
        case .all: break
        case .keys(var keys):
            keys.append(key)
            rows[target] = .keys(keys)
            bytes += Self.cost(of: key)
        case nil:
            rows[target] = .keys([key])
            bytes += Self.cost(of: key)
        }
    }

    mutating func noteAll(of plan: RelationPlan) {
        for list in plan.lists.indices { note(nil, of: plan, list) }
    }

    /// Forgets the keys, and takes no more of them.
    mutating func collapse() {
        isCollapsed = true
        for target in rows.keys { rows[target] = .all }
        bytes = 0
    }

    var tableChanges: [TableChange] {
        order.map { target, columns in
            switch rows[target] {
            case .keys(let keys): TableChange(table: target.table, what: .rows(columns: columns, keys: keys))
            case .all, nil: TableChange(table: target.table, what: .all)
            }
        }
    }

    /// An array for each part and one for the key, with malloc's and Swift's share.
    private static func cost(of key: [[UInt8]?]) -> Int {
        key.reduce(64) { $0 + 48 + ($1?.count ?? 0) }
    }
}
