import Postgres

/// What of a table's rows is kept. A class, as it is looked up for each row.
final class RelationPlan {
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

    /// Reads the wanted columns of a tuple, their texts to the end of `texts`.
    func read(_ tuple: borrowing Tuple, into parts: inout [ChangedRow.Part], _ texts: inout [UInt8]) {
        tuple.forEach { index, column in
            guard parts.count < wanted.count else { return false }
            guard index == wanted[parts.count] else { return true }
            switch column {
            case .null: parts.append(.null)
            case .text(let text):
                let start = texts.count
                let isTold = forms[parts.count]?.append(output: text, to: &texts) ?? false
                parts.append(isTold ? .text(start..<texts.count) : .unknown)
            case .unchanged, .binary: parts.append(.unknown)
            }
            return true
        }
        while parts.count < wanted.count { parts.append(.unknown) }
    }

    func insert(_ new: borrowing Tuple, _ row: inout ChangedRow, into changes: inout GatheredChanges) {
        row.clear()
        row.readAfter(new, by: self)
        for list in lists.indices { changes.note(row.after, row.texts, of: self, list) }
    }

    func update(
        _ old: borrowing OldTuple, _ new: borrowing Tuple, _ row: inout ChangedRow, into changes: inout GatheredChanges
    ) {
        row.clear()
        row.readAfter(new, by: self)
        switch old {
        case .absent:
            // The identity is as it was: the new row tells it.
            for (index, list) in lists.enumerated() {
                changes.note(list.isIdentity ? row.after : nil, row.texts, of: self, index)
            }
            return
        case .identity(let tuple), .whole(let tuple): row.readBefore(tuple, by: self)
        }
        row.fillFromBefore()
        for (index, list) in lists.enumerated() {
            changes.note(list.isIdentity ? row.before : nil, row.texts, of: self, index)
            if let indexes = list.indexes, !row.isSame(at: indexes) {
                changes.note(row.after, row.texts, of: self, index)
            }
        }
    }

    func delete(_ old: borrowing OldTuple, _ row: inout ChangedRow, into changes: inout GatheredChanges) {
        row.clear()
        let isTold: Bool
        switch old {
        case .absent: isTold = false
        case .identity(let tuple), .whole(let tuple):
            row.readBefore(tuple, by: self)
            isTold = true
        }
        for (index, list) in lists.enumerated() {
            changes.note(isTold && list.isIdentity ? row.before : nil, row.texts, of: self, index)
        }
    }
}
