import CacheCore
import RESP

extension QueryGetter {
    /// Encodes a result's rows as this group's value: each byte is copied once.
    func outcome(of result: borrowing PQResult) -> Outcome {
        switch returns {
        case .row: emptyOrAmbiguous(result.rowCount) ?? rowOutcome(of: result)
        case .value: emptyOrAmbiguous(result.rowCount) ?? valueOutcome(of: result, 0, firstColumn: 0)
        case .rows: .success(Value(text: result.field(row: 0, column: 0)))
        }
    }

    /// A batch's result as the values of its `count` keys, in their order; nil for those that the batch leaves open.
    ///
    /// Column 0 is the key's ordinal in the batch, from 1. Next comes, for ``Returns/row``, the JSON, then the key's parts,
    /// then the row's own; for ``Returns/value`` the key's parts, then the value; for ``Returns/rows`` the JSON, then the
    /// row's number.
    ///
    /// A row without an ordinal is no asked key's. There may be one, then, that the group's own query finds under another key
    /// (its SQL rounds what is asked, say), so keys without a row are left open.
    func outcomes(ofBatch result: borrowing PQResult, count: Int) -> [Outcome?] {
        let isStrict = (0..<result.rowCount).allSatisfy { !result.isNull(row: $0, column: 0) }
        if returns == .rows { return rowsOutcomes(ofBatch: result, count: count, isStrict: isStrict) }
        var outcomes = [Outcome?](repeating: nil, count: count)
        var isAnswered = [Bool](repeating: false, count: count)
        for row in 0..<result.rowCount {
            guard let index = index(in: result, row, count: count) else { continue }
            outcomes[index] = isAnswered[index] ? nil : outcome(ofBatch: result, row)
            isAnswered[index] = true
        }
        guard isStrict else { return outcomes }
        for index in outcomes.indices where !isAnswered[index] { outcomes[index] = .success(.missing) }
        return outcomes
    }

    private func index(in result: borrowing PQResult, _ row: Int, count: Int) -> Int? {
        guard let ordinal = result.number(row: row, column: 0), ordinal > 0, ordinal <= count else { return nil }
        return ordinal - 1
    }

    private func outcome(ofBatch result: borrowing PQResult, _ row: Int) -> Outcome? {
        let parts = keyParts ?? 0
        if returns == .value { return valueOutcome(of: result, row, firstColumn: 1 + parts) }
        let json = result.field(row: row, column: 1)
        guard let comma = JSONMembers.end(ofFirst: parts, in: json) else { return nil }
        return rowOutcome(
            of: result, row, json: json.extracting(droppingFirst: comma), firstByte: UInt8(ascii: "{"),
            firstColumn: 2 + parts)
    }

    /// Column 0 is the JSON, the others are the row's own.
    private func rowOutcome(of result: borrowing PQResult) -> Outcome {
        rowOutcome(of: result, 0, json: result.field(row: 0, column: 0), firstByte: nil, firstColumn: 1)
    }

    private func rowOutcome(
        of result: borrowing PQResult, _ row: Int, json: RawSpan, firstByte: UInt8?, firstColumn: Int
    ) -> Outcome {
        let columns = firstColumn..<max(firstColumn, result.columnCount)
        var fieldBytes = 0
        for column in columns {
            fieldBytes += result.columnName(column).byteCount + result.field(row: row, column: column).byteCount + 16
        }
        var encoder = RowEncoder(text: json, firstByte: firstByte, fieldBytes: fieldBytes)
        for column in columns where !result.isNull(row: row, column: column) {
            encoder.append(name: result.columnName(column), value: result.field(row: row, column: column))
        }
        return .success(Value(bytes: encoder.bytes, textLength: encoder.textLength))
    }

    /// There is one column from `firstColumn` on.
    private func valueOutcome(of result: borrowing PQResult, _ row: Int, firstColumn: Int) -> Outcome {
        guard result.columnCount == firstColumn + 1 else {
            let message = Self.mistake(inValueOf: result.columnCount - firstColumn)
            return .failure(LoadError(.query, "\(name): \(message)"))
        }
        if result.isNull(row: row, column: firstColumn) { return .success(.missing) }
        let field = result.field(row: row, column: firstColumn)
        guard result.isBytea(firstColumn) else {
            return .success(Value(text: field))
        }
        guard let bytes = Bytea.bytes(of: field) else {
            return .failure(LoadError(.query, "\(name): the database's text of a bytea is none"))
        }
        return .success(Value(text: bytes))
    }

    /// What is wrong when a value has so many columns.
    static func mistake(inValueOf columnCount: Int) -> String {
        "the query gives \(columnCount) columns, a value is one; leave one, or set `returns: row`"
    }

    private func emptyOrAmbiguous(_ rowCount: Int) -> Outcome? {
        switch rowCount {
        case 0: return .success(.missing)
        case 1: return nil
        default:
            let message = "the query gives more than one row for this key; set `returns: rows`, or have it give one"
            return .failure(LoadError(.query, "\(name): \(message)"))
        }
    }

    // MARK: Rows of a batch

    /// Joins each key's rows. A row that is two keys' (7 and 007) may be there for one of them or for each, so both are left
    /// open.
    private func rowsOutcomes(ofBatch result: borrowing PQResult, count: Int, isStrict: Bool) -> [Outcome?] {
        let parts = keyParts ?? 0
        var byteCounts = [Int](repeating: 1, count: count)
        var isOpen = [Bool](repeating: false, count: count)
        var last: (number: Int?, index: Int)?
        for row in 0..<result.rowCount {
            guard let index = index(in: result, row, count: count) else { continue }
            let number = result.number(row: row, column: 2)
            if let last, last.number == number {
                isOpen[index] = true
                isOpen[last.index] = true
            }
            last = (number, index)
            byteCounts[index] += result.field(row: row, column: 1).byteCount
        }
        // One byte for each bracket; a row's own first byte takes the comma.
        var texts = byteCounts.map { byteCount in
            var text: [UInt8] = []
            text.reserveCapacity(byteCount + 1)
            text.append(UInt8(ascii: "["))
            return text
        }
        for row in 0..<result.rowCount {
            guard let index = index(in: result, row, count: count), !isOpen[index] else { continue }
            let json = result.field(row: row, column: 1)
            // Behind the row's number and the key.
            guard let comma = JSONMembers.end(ofFirst: 1 + parts, in: json) else {
                isOpen[index] = true
                continue
            }
            if texts[index].count > 1 { texts[index].append(UInt8(ascii: ",")) }
            texts[index].append(UInt8(ascii: "{"))
            json.extracting(droppingFirst: comma + 1).withUnsafeBytes { texts[index].append(contentsOf: $0) }
        }
        return texts.indices.map { index in
            if isOpen[index] || !isStrict && texts[index].count == 1 { return nil }
            texts[index].append(UInt8(ascii: "]"))
            return .success(Value(text: texts[index]))
        }
    }
}
