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
