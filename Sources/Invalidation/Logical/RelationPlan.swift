import Postgres

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
