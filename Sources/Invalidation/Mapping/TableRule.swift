public import CacheCore
import Postgres

/// A table that a group depends on.
public struct TableRule: Sendable, Equatable, CustomStringConvertible {
    /// The table.
    public var table: TableName
    /// The columns whose values are the key's parts, in the order of the group's parameters. Empty: any change of the table
    /// concerns the whole group.
    public var key: [String]

    /// A group's dependence on `table`.
    public init(table: TableName, key: [String]) {
        self.table = table
        self.key = key
    }

    /// Such as `sales.line (ord, pos)`.
    public var description: String {
        key.isEmpty ? "\(table)" : "\(table) (\(key.map(SQLName.written).joined(separator: ", ")))"
    }
}

/// A group that the database invalidates.
public struct InvalidatedGroup: Sendable {
    /// The group.
    public let group: Group
    /// The tables that it depends on.
    public let rules: [TableRule]
    /// What becomes of an entry whose row changed.
    public let onChange: OnChange

    /// A group that depends on the tables of `rules`.
    public init(_ group: Group, rules: [TableRule], onChange: OnChange = .drop) {
        self.group = group
        self.rules = rules
        self.onChange = onChange
    }
}
