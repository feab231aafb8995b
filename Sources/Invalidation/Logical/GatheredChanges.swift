/// What a transaction has changed so far, before its commit.
struct GatheredChanges {
    private enum Rows {
        case keys([[[UInt8]?]])
        /// Any row: a key is not known, or there were too many.
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

    /// Notes a changed row under one of the plan's lists of columns. A nil key: it may be any row.
    mutating func note(_ key: [[UInt8]?]?, of plan: RelationPlan, _ list: Int) {
        let target = Target(table: plan.table, list: list)
        let isNew = rows[target] == nil
        if isNew { order.append((target, plan.lists[list].columns)) }
        guard let key, !isCollapsed else {
            rows[target] = .all
            return
        }
        if plan.lists[list].columns.isEmpty {
            // Nobody caches these rows by a key: it is enough that some changed.
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

    /// Notes that any row of a table may have changed.
    mutating func noteAll(of plan: RelationPlan) {
        for list in plan.lists.indices { note(nil, of: plan, list) }
    }

    /// Forgets the keys, and from here on keeps none: any row of each table may have changed.
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

    /// An array for the key and one for each part, with what Swift and malloc add to each.
    private static func cost(of key: [[UInt8]?]) -> Int {
        key.reduce(64) { $0 + 48 + ($1?.count ?? 0) }
    }
}
