extension DescribeSession {
    /// What the tables of `getter` can tell of its keys, and the types of its `parameters`.
    func keys(
        of getter: QueryGetter, parameters: [UInt32], on connection: borrowing PQConnection
    ) throws(ConnectError) -> GroupKeys {
        let numbers = "{" + Set(parameters).map { String($0) }.joined(separator: ",") + "}"
        let types = try columnTypes(ColumnType.ofTypes, [numbers], on: connection)
        let known = parameters.map { types[String($0)] ?? ColumnType(name: "type \($0)", base: $0, kind: .other) }
        var verdicts: [KeyVerdict] = []
        for table in getter.keyedBy {
            verdicts.append(KeyVerdict(parameters: known, of: table, with: try columns(of: table, on: connection)))
        }
        return GroupKeys(parameters: known, verdicts: verdicts)
    }

    /// The columns of `table`, by name; none when there is no such table.
    func columns(
        of table: KeyedTable, on connection: borrowing PQConnection
    ) throws(ConnectError) -> [String: ColumnType] {
        try columnTypes(ColumnType.ofColumns, [table.schema, table.name], on: connection)
    }

    private func columnTypes(
        _ sql: String, _ parameters: [String], on connection: borrowing PQConnection
    ) throws(ConnectError) -> [String: ColumnType] {
        guard connection.sendQuery(sql, Texts(parameters)) else {
            throw ConnectError(description: connection.errorText)
        }
        var types: [String: ColumnType] = [:]
        var refusal: String?
        try receive(on: connection) { result in
            switch result.status {
            case .rows:
                for row in 0..<result.rowCount {
                    types[result.text(row: row, column: 0)] = ColumnType(
                        type: result.text(row: row, column: 1), base: result.text(row: row, column: 2),
                        kind: result.text(row: row, column: 3),
                        extensionType: result.isNull(row: row, column: 4) ? nil : result.text(row: row, column: 4),
                        isDeterministic: result.text(row: row, column: 5), lowersI: result.text(row: row, column: 6))
                }
            case .error: refusal = result.error.message
            case .done, .aborted, .sync: break
            }
        }
        // Not to be taken for a table without columns.
        if let refusal { throw ConnectError(description: "the catalog can't be read: \(refusal)") }
        return types
    }
}

/// What was found out about a group's keys.
struct GroupKeys: Sendable, Equatable {
    let parameters: [ColumnType]
    /// For each of the getter's tables, in their order.
    let verdicts: [KeyVerdict]

    /// Why a table can't tell of them at all, and which of the getter's it is.
    var missing: (table: Int, message: String)? {
        for (index, verdict) in verdicts.enumerated() {
            if case .missing(let message) = verdict { return (index, message) }
        }
        return nil
    }
}

/// Texts without zero bytes as parameters.
private struct Texts: QueryParameters {
    private let bytes: [CChar]
    private let offsets: [Int]

    init(_ texts: [String]) {
        var bytes: [CChar] = []
        var offsets: [Int] = []
        for text in texts {
            offsets.append(bytes.count)
            bytes += text.utf8CString
        }
        self.bytes = bytes
        self.offsets = offsets
    }

    func withParameters<Result>(_ body: (Int32, UnsafePointer<UnsafePointer<CChar>?>?) -> Result) -> Result {
        bytes.withUnsafeBufferPointer { bytes in
            let starts = offsets.map { offset in bytes.baseAddress.map { UnsafePointer($0 + offset) } }
            return starts.withUnsafeBufferPointer { body(Int32(clamping: $0.count), $0.baseAddress) }
        }
    }
}
