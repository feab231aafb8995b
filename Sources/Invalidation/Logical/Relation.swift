/// How a table looks, as the stream describes it before its first change and after each change of its definition.
public struct Relation: Equatable, Sendable {
    /// What identifies a row in what the stream tells of old rows.
    public enum Identity: Equatable, Sendable {
        /// The primary key, when there is one.
        case `default`
        /// Nothing.
        case nothing
        /// The whole row.
        case full
        /// A unique index.
        case index
    }

    /// A column that is published.
    public struct Column: Equatable, Sendable {
        /// Its name.
        public var name: String
        /// Whether it is part of the replica identity.
        public var isIdentity: Bool
        /// Its type's oid.
        public var type: UInt32
        /// Its type's modifier, -1 without.
        public var modifier: Int32
    }

    /// Its oid.
    public var id: UInt32
    /// The table's schema and name, as the catalog has them.
    public var table: TableName
    /// What identifies a row.
    public var identity: Identity
    /// The columns, in the order in which tuples have them.
    public var columns: [Column]

    init(from reader: inout ByteReader) throws(PgOutputError) {
        id = try reader.integer()
        let schema = try reader.string()
        table = TableName(schema: schema.isEmpty ? "pg_catalog" : schema, name: try reader.string())
        switch try reader.byte() {
        case UInt8(ascii: "d"): identity = .default
        case UInt8(ascii: "n"): identity = .nothing
        case UInt8(ascii: "f"): identity = .full
        case UInt8(ascii: "i"): identity = .index
        case let other: throw .unknown(other)
        }
        columns = []
        for _ in 0..<(try reader.count(Int16.self)) {
            let flags = try reader.byte()
            columns.append(
                Column(
                    name: try reader.string(), isIdentity: flags & 1 != 0, type: try reader.integer(),
                    modifier: try reader.integer()))
        }
    }
}

/// The tables that a stream has described.
struct RelationCache {
    /// More than any publication that a sidecar has rules for.
    static let bound = 10_000

    private var relations: [UInt32: Relation] = [:]
    private var ids: [TableName: UInt32] = [:]

    /// Remembers a description; returns the names of tables that are not what they were: described otherwise before, renamed,
    /// or made anew under an old name.
    mutating func set(_ relation: Relation) throws(PgOutputError) -> Set<TableName> {
        guard relations.count < Self.bound || relations[relation.id] != nil else { throw .tooManyRelations }
        var changed: Set<TableName> = []
        if let old = relations.updateValue(relation, forKey: relation.id), old != relation {
            changed = [old.table, relation.table]
            if ids[old.table] == relation.id { ids[old.table] = nil }
        }
        if let other = ids.updateValue(relation.id, forKey: relation.table), other != relation.id {
            changed.insert(relation.table)
        }
        return changed
    }
}
