import Postgres

/// The columns of a table, and how a key's text is made of each.
enum KeyColumns {
    /// Each column by its name, the row being `r`; nil where equal values of its type may have several texts.
    static func read<Failure: Error>(
        of table: TableName, rows: (_ sql: String, _ parameters: [String]) throws(Failure) -> [[String?]]
    ) throws(Failure) -> [String: ChangeTriggers.Column?] {
        var columns: [String: ChangeTriggers.Column?] = [:]
        for row in try rows(ColumnType.ofColumns, [table.schema, table.name]) where row.count == 7 {
            guard let name = row[0] else { continue }
            let type = ColumnType(
                type: row[1] ?? "", base: row[2] ?? "", kind: row[3] ?? "", extensionType: row[4],
                isDeterministic: row[5] ?? "", lowersI: row[6] ?? "")
            let form = type.flatMap { KeyForm($0) }
            // An assignment would take a nil for a name that goes.
            columns.updateValue(form.map { column(name, $0) }, forKey: name)
        }
        return columns
    }

    private static func column(_ name: String, _ form: KeyForm) -> ChangeTriggers.Column {
        var column = ChangeTriggers.Column(name: name, expression: form.expression(of: "r.\(SQLName.quoted(name))"))
        if case .float = form { column.settings = ["extra_float_digits=1"] }
        return column
    }
}
