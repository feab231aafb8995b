/// How the values of a type are written as keys: one text for all values that PostgreSQL's `=` takes for the same.
///
/// A row may be asked for under several texts (`7`, `007`), of which one is in the form. Only what was asked for under that one
/// is kept in a group that the database invalidates, so that one text invalidates all there is. Everybody who says a key's
/// text brings it to this form: the trigger by ``expression(of:)``, the reader of pgoutput by ``append(output:to:)``, lookups by
/// ``reading(of:)``.
///
/// A type of which this is not known has no form; then any change of its table concerns the whole group.
public enum KeyForm: Sendable, Hashable {
    /// `smallint`, `integer`, `bigint` with so many bytes.
    case integer(bytes: Int)
    /// `oid`.
    case oid
    /// `xid` and `cid` (4 bytes) or `xid8`.
    case transaction(bytes: Int)
    case boolean
    case uuid
    /// `text` and `varchar` under a deterministic collation, and enums: the text itself.
    case text
    /// `name`, which is cut at 63 bytes.
    case name
    /// `char(n)`: without the blanks at its end, which do not count.
    case blankPadded
    /// `citext`: in lower case by the database's own collation. Whether that makes an i of an I, as it does outside of
    /// Turkish, is asked of the database.
    case caseless(lowersI: Bool)
    /// `bytea`: in hexadecimal.
    case bytes
    /// `numeric`: without zeros at its end.
    case numeric
    /// `real` (4 bytes) or `double precision`: the shortest digits that tell it from its neighbours.
    case float(bytes: Int)
    /// In ISO 8601, as under `DateStyle = ISO`.
    case date
    case time
    case timeWithZone
    case timestamp
    /// In UTC.
    case timestampWithZone
    /// `inet`, and `cidr`, which PostgreSQL compares as such: without the mask that an address of its own has.
    case address
    /// `macaddr`, `macaddr8` with so many bytes.
    case hardwareAddress(bytes: Int)
    /// `bit`, `bit varying`.
    case bits
    case tid
    /// `pg_lsn`.
    case logPosition
}

extension KeyForm {
    /// The form of a type; nil when none is known.
    public init?(_ type: ColumnType) {
        guard type.isDeterministic else { return nil }
        switch (type.kind, type.extensionType) {
        case (.enumeration, _): self = .text
        case (.base, "citext"?): self = .caseless(lowersI: type.lowersI)
        case (.base, nil): self.init(builtIn: type.base)
        case (.base, _), (.other, _): return nil
        }
    }

    /// By the numbers of PostgreSQL's `pg_type.dat`.
    private init?(builtIn type: UInt32) {
        switch type {
        case 21: self = .integer(bytes: 2)
        case 23: self = .integer(bytes: 4)
        case 20: self = .integer(bytes: 8)
        case 26: self = .oid
        case 28, 29: self = .transaction(bytes: 4)
        case 5069: self = .transaction(bytes: 8)
        case 16: self = .boolean
        case 2950: self = .uuid
        case 25, 1043: self = .text
        case 19: self = .name
        case 1042: self = .blankPadded
        case 17: self = .bytes
        case 1700: self = .numeric
        case 700: self = .float(bytes: 4)
        case 701: self = .float(bytes: 8)
        case 1082: self = .date
        case 1083: self = .time
        case 1266: self = .timeWithZone
        case 1114: self = .timestamp
        case 1184: self = .timestampWithZone
        case 869, 650: self = .address
        case 829: self = .hardwareAddress(bytes: 6)
        case 774: self = .hardwareAddress(bytes: 8)
        case 1560, 1562: self = .bits
        case 27: self = .tid
        case 3220: self = .logPosition
        default: return nil
        }
    }

    /// Whether a parameter of this form and a column of `column`'s are compared so that a key's text in the one form is
    /// the row's text in the other.
    ///
    /// A text may be compared with what the column prints, or be read as the column's type: both are the same where it is
    /// the column's own text, so that is asked of it then (``KeyReader``).
    func agrees(withColumn column: KeyForm) -> Bool {
        switch (self, column) {
        case (.integer, .integer), (.numeric, .integer): true
        case (.text, .integer), (.text, .uuid), (.text, .boolean), (.text, .name), (.text, .blankPadded),
            (.text, .numeric), (.text, .date), (.text, .time):
            true
        default: self == column
        }
    }
}

/// What the catalog says of a column's or a parameter's type, as far as keys go.
public struct ColumnType: Sendable, Hashable {
    /// `pg_type.typtype`.
    public enum Kind: Sendable {
        case base
        case enumeration
        /// Composites, ranges, pseudo-types. PostgreSQL counts arrays among the base types.
        case other
    }

    /// As PostgreSQL writes it, for texts.
    public var name: String
    /// Its number, or its base type's when it is a domain.
    public var base: UInt32
    /// What kind of type ``base`` is.
    public var kind: Kind
    /// Its name when it belongs to an extension.
    public var extensionType: String?
    /// Whether its collation takes only the same bytes for the same.
    public var isDeterministic: Bool
    /// Whether the database's collation makes an i of an I.
    public var lowersI: Bool

    /// A type.
    public init(
        name: String, base: UInt32, kind: Kind = .base, extensionType: String? = nil, isDeterministic: Bool = true,
        lowersI: Bool = true
    ) {
        self.name = name
        self.base = base
        self.kind = kind
        self.extensionType = extensionType
        self.isDeterministic = isDeterministic
        self.lowersI = lowersI
    }
}

extension ColumnType {
    /// SQL that tells of the columns of a table: `$1` is the schema's name, `$2` the table's, both as the catalog has them. One
    /// row for each column of a table, none for a view: its name, then what ``init(type:base:kind:extensionType:isDeterministic:lowersI:)``
    /// takes.
    public static let ofColumns = """
        with recursive chain(name, type, oid, collated) as (
            select a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.atttypid, a.attcollation
            from pg_catalog.pg_attribute a
            join pg_catalog.pg_class c on c.oid = a.attrelid
            join pg_catalog.pg_namespace n on n.oid = c.relnamespace
            where n.nspname = $1 and c.relname = $2 and c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped
        \(resolving)
        """

    /// SQL that tells of types: `$1` is an array of their numbers. One row for each, as those of ``ofColumns``, named by its
    /// number.
    public static let ofTypes = """
        with recursive chain(name, type, oid, collated) as (
            select t.oid::pg_catalog.text, pg_catalog.format_type(t.oid, null), t.oid, t.typcollation
            from pg_catalog.pg_type t where t.oid = any ($1::pg_catalog.oid[])
        \(resolving)
        """

    /// Goes from domains to what is below them.
    private static let resolving = """
            union all
            select chain.name, chain.type, t.typbasetype, chain.collated
            from chain join pg_catalog.pg_type t on t.oid = chain.oid where t.typtype = 'd'
        )
        select chain.name, chain.type, t.oid,
            t.typtype,
            (select t.typname from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass
                and d.objid = t.oid and d.deptype = 'e' limit 1),
            coalesce((select l.collisdeterministic from pg_catalog.pg_collation l where l.oid = chain.collated), true),
            pg_catalog.lower('I' collate pg_catalog."default") = 'i'
        from chain join pg_catalog.pg_type t on t.oid = chain.oid where t.typtype <> 'd'
        """

    /// A row of ``ofColumns`` or ``ofTypes``, its columns as texts and in their order, behind the first one.
    public init?(
        type: String, base: String, kind: String, extensionType: String?, isDeterministic: String, lowersI: String
    ) {
        guard let base = UInt32(base) else { return nil }
        let kind: Kind =
            switch kind {
            case "b": .base
            case "e": .enumeration
            default: .other
            }
        self.init(
            name: type, base: base, kind: kind, extensionType: extensionType, isDeterministic: isDeterministic == "t",
            lowersI: lowersI == "t")
    }
}
