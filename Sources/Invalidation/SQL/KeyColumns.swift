import Postgres

/// The columns of a table, and how a key's text is made of each.
enum KeyColumns {
    /// Each column by its name, the row being `r`; nil where equal values of its type may have several texts.
    static func read(
        of table: TableName, in session: SQLSession
    ) throws(SQLFailure) -> [String: ChangeTriggers.Column?] {
        var columns: [String: ChangeTriggers.Column?] = [:]
        var names: [String: String] = [:]
        for row in try session.run(typeNames, [table.schema, table.name]) where row.count == 2 {
            if let name = row[0] { names[name] = row[1] }
        }
        for row in try session.run(ColumnType.ofColumns, [table.schema, table.name]) where row.count == 7 {
            guard let name = row[0] else { continue }
            let type = ColumnType(
                type: row[1] ?? "", base: row[2] ?? "", kind: row[3] ?? "", extensionType: row[4],
                isDeterministic: row[5] ?? "", lowersI: row[6] ?? "")
            let form = type.flatMap { KeyForm($0) }
            var known: ChangeTriggers.Column?
            if let form, let typeName = names[name] { known = column(name, of: typeName, form) }
            // Not by a subscript, which takes a column without a form for one that is to go.
            columns.updateValue(known, forKey: name)
        }
        return columns
    }

    /// Each column's type with its schema, of the table whose schema is $1 and whose name is $2.
    private static let typeNames = """
        select a.attname, pg_catalog.format('%I.%I', u.nspname, t.typname)
        from pg_catalog.pg_attribute a
        join pg_catalog.pg_class c on c.oid = a.attrelid
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        join pg_catalog.pg_type t on t.oid = a.atttypid
        join pg_catalog.pg_namespace u on u.oid = t.typnamespace
        where n.nspname = $1 and c.relname = $2 and a.attnum > 0 and not a.attisdropped
        """

    private static func column(_ name: String, of type: String, _ form: KeyForm) -> ChangeTriggers.Column {
        var column = ChangeTriggers.Column(
            name: name, type: type, expression: form.expression(of: "r.\(SQLName.quoted(name))"))
        if case .float = form { column.settings = ["extra_float_digits=1"] }
        return column
    }
}
