public import Postgres

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
    private var row = ChangedRow()

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
            try gather(id) { $0.insert(new, &$1, into: &$2) }
        case .update(let id, let old, let new):
            try gather(id) { $0.update(old, new, &$1, into: &$2) }
        case .delete(let id, let old):
            try gather(id) { $0.delete(old, &$1, into: &$2) }
        case .truncate(let tables):
            for index in 0..<tables.count {
                try gather(tables[index]) { plan, _, changes in changes.noteAll(of: plan) }
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
        _ id: UInt32, _ body: (RelationPlan, inout ChangedRow, inout GatheredChanges) -> Void
    ) throws(PgOutputError) {
        guard let plan = plans[id]?.plan else { throw .unknownRelation(id) }
        // Taken out and put back: what is gathered is never copied.
        guard var current = open.take() else { throw .outOfOrder }
        if !plan.lists.isEmpty { body(plan, &row, &current.changes) }
        if current.changes.bytes > bound { current.changes.collapse() }
        open = current
    }
}
