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

    /// Column 0 is the JSON, the others are the row's own.
    private func rowOutcome(of result: borrowing PQResult) -> Outcome {
        if let early = emptyOrAmbiguous(result.rowCount) { return early }
        let columns = result.columnCount
        var fieldBytes = 0
        for column in 1..<max(1, columns) {
            fieldBytes += result.columnName(column).byteCount + result.field(row: 0, column: column).byteCount + 16
        }
        var encoder = RowEncoder(text: result.field(row: 0, column: 0), fieldBytes: fieldBytes)
        for column in 1..<max(1, columns) where !result.isNull(row: 0, column: column) {
            encoder.append(name: result.columnName(column), value: result.field(row: 0, column: column))
        }
        return .success(encoder.finish())
    }

    private func valueOutcome(of result: borrowing PQResult) -> Outcome {
        guard result.columnCount == 1 else {
            return .failure(LoadError(.query, "\(name): the query gives \(result.columnCount) columns, a value is one"))
        }
        return emptyOrAmbiguous(result.rowCount) ?? textOutcome(of: result)
    }

    private func rowsOutcome(of result: borrowing PQResult) -> Outcome {
        textOutcome(of: result)
    }

    /// The first field of the first row.
    private func textOutcome(of result: borrowing PQResult) -> Outcome {
        if result.isNull(row: 0, column: 0) { return .success(.missing) }
        return .success(Value(text: result.field(row: 0, column: 0).withUnsafeBytes { Array($0) }))
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
