import Postgres

/// How a publication and the tables that somebody depends on stand to each other.
public struct PublicationStanding: Sendable {
    /// How one table stands.
    struct Table: Equatable, Sendable {
        /// `r` for a table, `p` for a partitioned one; nil when there is none of the name.
        var kind: String?
        /// Its columns, and whether each is part of the replica identity, in each of its partitions.
        var columns: [String: Bool] = [:]
        /// Its columns' types, by their numbers.
        var types: [String: UInt32] = [:]
        var isPublished = false
        /// The condition under which its rows are published.
        var filter: String?
        /// The columns that are published; empty for all.
        var published: Set<String> = []
        /// The published table that it is a partition of.
        var root: TableName?
        /// Tables that inherit from it and are no partitions.
        var children: [TableName] = []
        /// Changes with all that makes what was read before mean something else.
        var print = ""
    }

    let tables: [TableName]
    let standings: [Table]
    /// What is published of `i`nserts, `u`pdates, `d`eletes and `t`runcates; nil when there is no publication.
    let actions: String?
    let isByRoot: Bool
    /// Changes whenever the publication does, though what it publishes be the same in the end: a table that was left out for a
    /// moment has a new entry.
    let membership: String
    /// The end of the log, as far as the server that was asked has it.
    let position: LogPosition

    /// Reads the rows that ``PublicationSQL/check(_:_:)`` for the same tables brought.
    public init(_ rows: [[String?]], tables: [TableName]) {
        var standings = [Table](repeating: Table(), count: tables.count)
        var (actions, isByRoot, membership, position): (String?, Bool, String, LogPosition) = (nil, false, "", .none)
        for row in rows where row.count == 4 {
            guard let index = row[0].flatMap({ Int($0) }) else { continue }
            let (what, one, other) = (row[1], row[2], row[3])
            if what == "publication" { (actions, isByRoot) = (one, other == "true") }
            if what == "membership" { membership = one ?? "" }
            if what == "position" { position = one.flatMap { LogPosition($0) } ?? .none }
            guard standings.indices.contains(index) else { continue }
            switch what {
            case "table": standings[index].kind = one
            case "column": one.map { standings[index].columns[$0] = other == "true" }
            case "type": one.map { standings[index].types[$0] = other.flatMap { UInt32($0) } }
            case "published":
                standings[index].isPublished = true
                standings[index].filter = one
            case "publishes": one.map { _ = standings[index].published.insert($0) }
            case "root": standings[index].root = Self.name(one, other)
            case "child": Self.name(one, other).map { standings[index].children.append($0) }
            case "print": standings[index].print = one ?? ""
            case _: break
            }
        }
        self.tables = tables
        self.standings = standings
        self.actions = actions
        self.isByRoot = isByRoot
        self.membership = membership
        self.position = position
    }

    private static func name(_ schema: String?, _ name: String?) -> TableName? {
        guard let schema, let name else { return nil }
        return TableName(schema: schema, name: name)
    }

    /// Reads how columns are written as keys, from the rows that ``PublicationSQL/columnTypes(_:)`` brought; for columns
    /// whose types are as they were when this standing was read.
    func forms(_ rows: [[String?]]) -> TransactionGatherer.Forms {
        var forms: [TableName: [String: (type: UInt32, form: KeyForm)]] = [:]
        for row in rows where row.count == 8 {
            guard let index = row[0].flatMap({ Int($0) }), tables.indices.contains(index), let column = row[1],
                let found = ColumnType(
                    type: row[2] ?? "", base: row[3] ?? "", kind: row[4] ?? "", extensionType: row[5],
                    isDeterministic: row[6] ?? "", lowersI: row[7] ?? ""),
                let form = KeyForm(found), let type = standings[index].types[column]
            else { continue }
            forms[tables[index], default: [:]][column] = (type, form)
        }
        return { [forms] table, column in
            forms[table]?[column.name].flatMap { $0.type == column.type ? $0.form : nil }
        }
    }

    /// The tables that are not as they were in `old`: what was read of them may mean something else now.
    public func changed(since old: PublicationStanding) -> [TableName] {
        let before = Dictionary(zip(old.tables, old.standings), uniquingKeysWith: { first, _ in first })
        return zip(tables, standings).compactMap { before[$0] == $1 ? nil : $0 }
    }
}

/// Why changes of a table can't be followed.
public struct PublicationMistake: Error, Equatable, Sendable, CustomStringConvertible {
    /// The table.
    public let table: TableName
    /// What is wrong.
    public let why: String
    /// The SQL that mends it.
    public let remedy: String?

    /// Both, in one line.
    public var description: String { "\(table) \(why)" + (remedy.map { "; mend it by: \($0)" } ?? "") }
}

extension PublicationStanding {
    /// What keeps changes of a table from being followed, for rules that know its rows by `columns`; nil when nothing does.
    /// An empty list stands for any change.
    ///
    /// - Parameters:
    ///   - followed: The tables that the same group depends on: what inherits from a table has to be among them.
    public func mistake(
        in table: TableName, by columns: [String], of publication: String, followed: [TableName]
    ) -> PublicationMistake? {
        guard let index = tables.firstIndex(of: table) else { return nil }
        let (found, name, quoted) = (standings[index], SQLName.quoted(publication), table.quoted)
        func because(_ why: String, _ remedy: String? = nil) -> PublicationMistake {
            PublicationMistake(table: table, why: why, remedy: remedy)
        }
        guard let actions else {
            return because("can't be followed: there is no publication \(name)", "pgsidecar sql install --apply")
        }
        guard let kind = found.kind else { return because("does not exist") }
        if let root = found.root {
            return because(
                "is published as its root \(root): name that in invalidate_on, or publish the table by itself")
        }
        if kind == "p", !isByRoot {
            return because(
                "is partitioned, and its changes are told by its partitions' names",
                "ALTER PUBLICATION \(name) SET (publish_via_partition_root = true)")
        }
        guard kind == "p" || kind == "r" else { return because("is no table: name the tables behind it") }
        guard found.isPublished else {
            return because("is not in publication \(name)", "ALTER PUBLICATION \(name) ADD TABLE \(quoted)")
        }
        guard actions == "iudt" else {
            return because(
                "is published without all its kinds of changes",
                "ALTER PUBLICATION \(name) SET (publish = 'insert, update, delete, truncate')")
        }
        if found.filter != nil {
            return because(
                "is published under a condition, so not all its changes are told",
                "ALTER PUBLICATION \(name) DROP TABLE \(quoted); ALTER PUBLICATION \(name) ADD TABLE \(quoted)")
        }
        if let child = found.children.first(where: { !followed.contains($0) }) {
            return because("has \(child) inherit from it, whose changes are its own: name that in invalidate_on, too")
        }
        return missing(in: found, quoted, by: columns).map { because($0.why, $0.remedy) }
    }

    /// What a table's replica identity does not tell of rows that are known by `columns`, be it published or not; nil when it tells
    /// all, or there is no such table.
    package func identityMistake(in table: TableName, by columns: [String]) -> PublicationMistake? {
        guard let index = tables.firstIndex(of: table), standings[index].kind != nil else { return nil }
        return missing(in: standings[index], table.quoted, by: columns).map {
            PublicationMistake(table: table, why: $0.why, remedy: $0.remedy)
        }
    }

    /// What the rules need of a published table that it does not tell.
    private func missing(
        in found: Table, _ quoted: String, by columns: [String]
    ) -> (why: String, remedy: String?)? {
        if let missing = columns.first(where: { found.columns[$0] == nil }) {
            return ("has no column \(SQLName.written(missing))", nil)
        }
        if !found.published.isEmpty, let missing = columns.first(where: { !found.published.contains($0) }) {
            return ("is published without its column \(SQLName.written(missing))", nil)
        }
        let full = "ALTER TABLE \(quoted) REPLICA IDENTITY FULL"
        guard found.columns.values.contains(true) else {
            return ("has no replica identity: its updates and deletes are refused while it is published", full)
        }
        let untold = columns.filter { found.columns[$0] != true }
        guard !untold.isEmpty else { return nil }
        let names = untold.map(SQLName.written).joined(separator: ", ")
        return ("does not tell the old \(names) of a row that changes: its replica identity is without", full)
    }
}

extension PublicationStanding {
    /// Whether there is a publication of the name.
    public var isThere: Bool { actions != nil }
}
