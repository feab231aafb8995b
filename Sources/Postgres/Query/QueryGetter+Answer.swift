import CacheCore

extension QueryGetter {
    /// Encodes a result's rows as this group's value: each byte is copied once.
    func outcome(of result: borrowing PQResult) -> Outcome {
        switch returns {
        case .row: rowOutcome(of: result)
        case .value: valueOutcome(of: result)
        case .rows: rowsOutcome(of: result)
        }
    }

    /// A batch's result as the values of its `count` keys, in their order; nil for those that the batch leaves open.
    ///
    /// Column 0 is the key's place in the batch, from 1. Next comes, for ``Returns/row``, the JSON, then the key's parts,
    /// then the row's own; for ``Returns/value`` the value; for ``Returns/rows`` the JSON, then how
    /// many equal keys were asked for.
    func outcomes(ofBatch result: borrowing PQResult, count: Int) -> [Outcome?] {
        var outcomes = [Outcome?](repeating: .success(.missing), count: count)
        var isAnswered = [Bool](repeating: false, count: count)
        let parts = keyParts ?? 0
        for row in 0..<result.rowCount {
            guard let place = result.number(row: row, column: 0).map({ $0 - 1 }), place >= 0, place < count else {
                continue
            }
            outcomes[place] = isAnswered[place] ? nil : outcome(ofBatch: result, row, keyParts: parts)
            isAnswered[place] = true
        }
        return outcomes
    }

    private func outcome(ofBatch result: borrowing PQResult, _ row: Int, keyParts: Int) -> Outcome? {
        switch returns {
        case .row: rowOutcome(of: result, row, json: 1, firstColumn: 2 + keyParts)
        case .value: textOutcome(of: result, row, column: 1)
        case .rows: result.number(row: row, column: 2) == 1 ? textOutcome(of: result, row, column: 1) : nil
        }
    }

    /// Column 0 is the JSON, the others are the row's own.
    private func rowOutcome(of result: borrowing PQResult) -> Outcome {
        emptyOrAmbiguous(result.rowCount) ?? rowOutcome(of: result, 0, json: 0, firstColumn: 1)
    }

    private func rowOutcome(of result: borrowing PQResult, _ row: Int, json: Int, firstColumn: Int) -> Outcome {
        let columns = result.columnCount
        var fieldBytes = 0
        for column in firstColumn..<max(firstColumn, columns) {
            fieldBytes += result.columnName(column).byteCount + result.field(row: row, column: column).byteCount + 16
        }
        var encoder = RowEncoder(text: result.field(row: row, column: json), fieldBytes: fieldBytes)
        for column in firstColumn..<max(firstColumn, columns) where !result.isNull(row: row, column: column) {
            encoder.append(name: result.columnName(column), value: result.field(row: row, column: column))
        }
        return .success(encoder.finish())
    }

    private func valueOutcome(of result: borrowing PQResult) -> Outcome {
        guard result.columnCount == 1 else {
            return .failure(LoadError(.query, "\(name): the query gives \(result.columnCount) columns, a value is one"))
        }
        return emptyOrAmbiguous(result.rowCount) ?? textOutcome(of: result, 0, column: 0)
    }

    private func rowsOutcome(of result: borrowing PQResult) -> Outcome {
        textOutcome(of: result, 0, column: 0)
    }

    private func textOutcome(of result: borrowing PQResult, _ row: Int, column: Int) -> Outcome {
        if result.isNull(row: row, column: column) { return .success(.missing) }
        return .success(Value(text: result.field(row: row, column: column).withUnsafeBytes { Array($0) }))
    }

    private func emptyOrAmbiguous(_ rowCount: Int) -> Outcome? {
        switch rowCount {
        case 0: .success(.missing)
        case 1: nil
        default:
            .failure(LoadError(.query, "\(name): the query gives more than one row for this key, \(returns) wants one"))
        }
    }
}
