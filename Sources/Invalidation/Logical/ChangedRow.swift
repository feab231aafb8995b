/// The columns of a changed row that somebody knows it by, as they were and as they are. It serves for row after row.
struct ChangedRow {
    /// One column's value.
    enum Part: Equatable {
        case unknown, null
        /// Where it stands in the row's texts.
        case text(Range<Int>)

        var byteCount: Int {
            switch self {
            case .unknown, .null: 0
            case .text(let range): range.count
            }
        }
    }

    private(set) var before: [Part] = []
    private(set) var after: [Part] = []
    /// The texts of both.
    private(set) var texts: [UInt8] = []

    /// Forgets the row that it was.
    mutating func clear() {
        before.removeAll(keepingCapacity: true)
        after.removeAll(keepingCapacity: true)
        texts.removeAll(keepingCapacity: true)
    }

    mutating func readAfter(_ tuple: borrowing Tuple, by plan: RelationPlan) {
        plan.read(tuple, into: &after, &texts)
    }

    /// An old tuple has null for what is not told, too. The server describes a partition's rows by its root, whose replica
    /// identity may have more columns than the partition's.
    mutating func readBefore(_ tuple: borrowing Tuple, by plan: RelationPlan) {
        plan.read(tuple, into: &before, &texts)
        for index in before.indices where before[index] == .null { before[index] = .unknown }
    }

    /// Long values that did not change are sent with the old row alone.
    mutating func fillFromBefore() {
        for index in after.indices where after[index] == .unknown { after[index] = before[index] }
    }

    /// Whether the columns at `indexes` are what they were.
    func isSame(at indexes: [Int]) -> Bool {
        indexes.allSatisfy { index in
            switch (before[index], after[index]) {
            case (.text(let old), .text(let new)): texts[old].elementsEqual(texts[new])
            case (.null, .null): true
            case (.unknown, _), (.null, _), (.text, _): false
            }
        }
    }
}
