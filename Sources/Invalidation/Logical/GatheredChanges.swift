/// What a transaction has changed so far, before its commit.
struct GatheredChanges {
    private struct Gathered {
        let table: TableName
        /// Nil: any row: a key is not known, or there were too many.
        var keys: KeyTexts?
    }

    /// Tables in the order in which they came, each with its lists in theirs.
    private var gathered: [Gathered] = []
    /// Where a table's first list stands.
    private var places: [TableName: Int] = [:]
    /// The table of the last row, which is mostly that of the next one.
    private var last: (plan: RelationPlan, place: Int)?
    private var isCollapsed = false
    /// About the memory that the keys take.
    private(set) var bytes = 0

    /// Notes a changed row under one of the plan's lists of columns. Without parts, or where they don't tell the key, it may be
    /// any row.
    mutating func note(_ parts: [ChangedRow.Part]?, _ texts: [UInt8], of plan: RelationPlan, _ list: Int) {
        let place = place(of: plan) + list
        guard gathered[place].keys != nil else { return }
        guard let parts, let indexes = plan.lists[list].indexes, !indexes.contains(where: { parts[$0] == .unknown })
        else {
            gathered[place].keys = nil
            return
        }
        // Without columns, nobody caches these rows by a key: it is enough that some changed.
        for index in indexes {
            switch parts[index] {
            case .unknown, .null: gathered[place].keys?.append(nil)
            case .text(let range): gathered[place].keys?.append(texts.span.bytes.extracting(range))
            }
            bytes += KeyTexts.cost(ofTextOf: parts[index].byteCount)
        }
    }

    /// Notes that any row of a table may have changed.
    mutating func noteAll(of plan: RelationPlan) {
        for list in plan.lists.indices { note(nil, [], of: plan, list) }
    }

    private mutating func place(of plan: RelationPlan) -> Int {
        if let last, last.plan === plan { return last.place }
        let place = places[plan.table] ?? gathered.count
        if place == gathered.count {
            places[plan.table] = place
            gathered += plan.lists.map {
                Gathered(table: plan.table, keys: isCollapsed ? nil : KeyTexts(columns: $0.columns))
            }
        }
        last = (plan, place)
        return place
    }

    /// Forgets the keys, and from here on keeps none: any row of each table may have changed.
    mutating func collapse() {
        isCollapsed = true
        for place in gathered.indices { gathered[place].keys = nil }
        bytes = 0
    }

    var tableChanges: [TableChange] {
        gathered.map { TableChange(table: $0.table, what: $0.keys.map { .rows($0) } ?? .all) }
    }
}
