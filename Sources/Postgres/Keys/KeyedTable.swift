/// A table of which a changed row makes a group stale, or the keys of it that some of the table's columns make up.
public struct KeyedTable: Sendable, Hashable {
    /// The table's schema, as the catalog has it.
    public var schema: String
    /// The table's name, as the catalog has it.
    public var name: String
    /// The columns that are the key's parts, in the order of the query's parameters; empty: any change concerns the whole group.
    public var columns: [String]

    /// A table.
    public init(schema: String, name: String, columns: [String]) {
        self.schema = schema
        self.name = name
        self.columns = columns
    }
}

/// What a table's changes can tell of a group's keys.
public enum KeyVerdict: Sendable, Equatable {
    /// The keys: each column's text in the form given, joined by `:`.
    case keys([KeyForm])
    /// Nothing but that there was a change, so all of the group is stale then. `why` says so, and what helps.
    case whole(why: String)
    /// There is no such table or column.
    case missing(String)
}

extension KeyVerdict {
    /// Compares the types of a query's parameters with those of the columns that its key is made of.
    ///
    /// - Parameter columns: All columns of `table` by name; empty when there is no such table.
    init(parameters: [ColumnType], of table: KeyedTable, with columns: [String: ColumnType]) {
        let title = "\(table.schema).\(table.name)"
        guard !columns.isEmpty else {
            self = .missing("there is no table \(title); of a view, list the tables that it reads")
            return
        }
        guard !table.columns.isEmpty else {
            self = .whole(why: "its rule has no key")
            return
        }
        if let absent = table.columns.first(where: { columns[$0] == nil }) {
            let known = columns.keys.sorted().prefix(20).joined(separator: ", ")
            self = .missing("the table \(title) has no column \"\(absent)\"; it has \(known)")
            return
        }
        guard table.columns.count == parameters.count else {
            self = .whole(
                why:
                    "the key has \(table.columns.count) columns of \(title), the query \(parameters.count) parameters; "
                    + "give a column for each, in the parameters' order")
            return
        }
        var forms: [KeyForm] = []
        for (number, pair) in zip(table.columns, parameters).enumerated() {
            let (name, parameter) = pair
            guard let column = columns[name] else { continue }
            guard let form = KeyForm(column) else {
                let type = column.isDeterministic ? column.name : "\(column.name) with a nondeterministic collation"
                self = .whole(
                    why: "\(title).\(name) is \(type), of which equal values may have several texts; "
                        + "a key of integers, uuid or text has one")
                return
            }
            guard let own = KeyForm(parameter), own.agrees(withColumn: form) else {
                self = .whole(
                    why: "$\(number + 1) is \(parameter.name), and \(title).\(name) is \(column.name); "
                        + "compare them as \(name) = $\(number + 1), without a cast")
                return
            }
            forms.append(form)
        }
        self = .keys(forms)
    }
}

extension KeyReader {
    /// Reads the keys of a group whose query has `parameters`.
    convenience init(parameters: [ColumnType], verdicts: [KeyVerdict]) {
        let rows = verdicts.compactMap { verdict -> [KeyForm]? in
            switch verdict {
            case .keys(let forms): forms
            case .whole, .missing: nil
            }
        }
        guard !rows.isEmpty else {
            self.init([])
            return
        }
        self.init(
            parameters.enumerated().compactMap { index, parameter in
                KeyForm(parameter).map { form in
                    var part = Part(form: form)
                    for other in rows.map({ $0[index] }) where !form.writes(as: other) && !part.others.contains(other) {
                        part.others.append(other)
                    }
                    return part
                }
            })
    }
}

extension KeyForm {
    /// Whether a parameter's own text is the own text of an equal column, whatever it is.
    fileprivate func writes(as column: KeyForm) -> Bool {
        switch (self, column) {
        case (.integer, .integer), (.numeric, .integer): true
        default: self == column
        }
    }
}
