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
