import Groundwork

/// Asks the server to parse and describe statements, over a connection that nobody else uses. Waits for each answer, up to a
/// time limit, so it is for threads that may block.
struct DescribeSession: ~Copyable {
    private let timeout: Duration

    init(timeout: Duration) {
        self.timeout = timeout
    }

    /// Describes every getter's statement. Nothing is left on the connection.
    ///
    /// - Throws: When the connection is lost, or the server does not answer in time. A statement that the server refuses
    ///   is that group's ``GroupDescription/mistake``.
    func describe(
        _ getters: [QueryGetter], on connection: borrowing PQConnection
    ) throws(ConnectError) -> [GroupDescription] {
        guard connection.startPipelining() else { throw ConnectError(description: connection.errorText) }
        var shapes: [Shape] = []
        for getter in getters {
            var shape = try shape(of: getter, on: connection)
            if shape.mistake == nil, let batch = getter.batch {
                shape.mistake = try mistake(in: batch.statement, of: getter, with: shape, on: connection)
            }
            shapes.append(shape)
        }
        let types = Set(shapes.flatMap { $0.parameterTypes + $0.columns.map(\.type) })
        let names = try typeNames(of: types, on: connection)
        var descriptions: [GroupDescription] = []
        for (getter, shape) in zip(getters, shapes) {
            var description = getter.description(of: shape, typeNames: names)
            if !getter.keyedBy.isEmpty, shape.mistake == nil || shape.mistake?.part == .batch {
                let keys = try keys(of: getter, parameters: shape.parameterTypes, on: connection)
                description.keys = keys
                if let (table, message) = keys.missing, description.mistake == nil {
                    description.mistake = QueryMistake(group: getter.name, part: .table(table), message: message)
                }
            }
            descriptions.append(description)
        }
        return descriptions
    }

    /// The user's SQL is asked about as it stands, which tells its columns and the mistakes in its own terms, and then as it
    /// is sent, which refuses what writes.
    private func shape(
        of getter: QueryGetter, on connection: borrowing PQConnection
    ) throws(ConnectError) -> Shape {
        let question = Question(group: getter.name, part: .query)
        var own = try shape(asItStands: getter.statement, question, on: connection)
        guard own.mistake == nil else { return own }
        own.mistake =
            try shape(of: getter.statement, question, on: connection).mistake
            ?? question.mistake(inParameters: own.parameterTypes.count, expected: getter.keyParts ?? 0)
            ?? question.mistake(inColumns: own.columns.map(\.name), getter.returns)
        guard own.mistake == nil else { return own }
        own.mistake = try missingPrivilege(
            for: getter.statement.text, own.parameterTypes.count, question, on: connection)
        return own
    }

    /// What is wrong with a batch query of a getter of `shape`; nil when it gives what the getter's own query gives.
    private func mistake(
        in batch: Statement, of getter: QueryGetter, with shape: Shape, on connection: borrowing PQConnection
    ) throws(ConnectError) -> QueryMistake? {
        let keyParts = getter.keyParts ?? 0
        let question = Question(group: getter.name, part: .batch)
        if let mistake = question.mistake(inParameters: batch.text.parameterCount, expected: keyParts) {
            return mistake
        }
        let own = try self.shape(asItStands: batch, question, on: connection)
        if let refused = own.mistake { return refused }
        let columns = own.columns.dropFirst(keyParts)
        guard !columns.isEmpty else {
            return question.mistake(
                "the query gives \(own.columns.count) columns: the key's (\(keyParts)), then those of the row")
        }
        if let mistake = question.mistake(inColumns: columns.map(\.name), getter.returns) { return mistake }
        if let refused = try self.shape(of: batch, question, on: connection).mistake { return refused }
        // Where no index could hold the key, its `=` is something else: two boxes are "equal" when their areas are.
        let distinct = Statement(distinctKeysOfBatch: batch.text, group: getter.name, keyParts: keyParts)
        if let refused = try self.shape(of: distinct, question, on: connection).mistake { return refused }
        if let refused = try missingPrivilege(for: batch.text, keyParts, question, on: connection) { return refused }
        guard
            columns.elementsEqual(
                shape.columns, by: { $0.type == $1.type && (getter.returns == .value || $0.name == $1.name) })
        else {
            let names = try typeNames(of: Set((columns + shape.columns).map(\.type)), on: connection)
            let (given, wanted) = (list(columns, names), list(shape.columns[...], names))
            return question.mistake(
                "behind the key the query gives \(given), the group's own query \(wanted); "
                    + "give the key first, then the columns of the group's own query, in their order")
        }
        return nil
    }

    /// What the role may not do that `text` does. A statement is described whoever asks, and its privileges are looked at
    /// when it starts, so it is explained, which starts it and runs nothing. Any other refusal does not count: a domain may
    /// not take the nulls that stand for the parameters.
    private func missingPrivilege(
        for text: QueryText, _ parameterCount: Int, _ question: Question, on connection: borrowing PQConnection
    ) throws(ConnectError) -> QueryMistake? {
        let explain = Statement(text, group: question.group, prefix: "explain ")
        guard connection.sendQuery(explain.sql, Nulls(count: parameterCount)) else {
            throw ConnectError(description: connection.errorText)
        }
        var mistake: QueryMistake?
        try receive(on: connection) { result in
            guard case .error = result.status else { return }
            let error = result.error
            guard error.state == .insufficientPrivilege else { return }
            mistake = QueryMistake(error, in: explain, group: question.group, part: question.part, isWrapped: false)
        }
        return mistake
    }

    private func list(_ columns: ArraySlice<Column>, _ typeNames: [UInt32: String]) -> String {
        "(" + columns.map { "\($0.name) \(typeNames[$0.type] ?? "type \($0.type)")" }.joined(separator: ", ") + ")"
    }

    private func shape(
        asItStands statement: Statement, _ question: Question, on connection: borrowing PQConnection
    ) throws(ConnectError) -> Shape {
        if let mistake = statement.mistake {
            return Shape(mistake: question.mistake(mistake.message, at: mistake.position))
        }
        return try shape(
            of: Statement(statement.text, group: question.group), question, isWrapped: false, on: connection)
    }

    private func shape(
        of statement: Statement, _ question: Question, isWrapped: Bool = true, on connection: borrowing PQConnection
    ) throws(ConnectError) -> Shape {
        guard connection.sendPrepare("", statement.sql), connection.sendDescribe("") else {
            throw ConnectError(description: connection.errorText)
        }
        var shape = Shape()
        try receive(on: connection) { result in
            switch result.status {
            case .error:
                shape.mistake = QueryMistake(
                    result.error, in: statement, group: question.group, part: question.part, isWrapped: isWrapped)
            case .done:
                shape.parameterTypes = result.parameterTypes
                shape.columns = result.columns
            case .rows, .aborted, .sync: break
            }
        }
        return shape
    }

    private func typeNames(
        of types: Set<UInt32>, on connection: borrowing PQConnection
    ) throws(ConnectError) -> [UInt32: String] {
        guard !types.isEmpty else { return [:] }
        let list = types.map { String($0) }.joined(separator: ",")
        let sql =
            "select type, pg_catalog.format_type(type, null) from pg_catalog.unnest('{\(list)}'::pg_catalog.oid[]) type"
        guard connection.sendQuery(sql, KeyParts.none) else { throw ConnectError(description: connection.errorText) }
        var names: [UInt32: String] = [:]
        try receive(on: connection) { result in
            guard case .rows = result.status else { return }
            for row in 0..<result.rowCount {
                if let type = UInt32(result.text(row: row, column: 0)) {
                    names[type] = result.text(row: row, column: 1)
                }
            }
        }
        return names
    }

    /// Ends what was sent and hands each result to `body`, up to the sync.
    func receive(
        on connection: borrowing PQConnection, _ body: (borrowing PQResult) -> Void
    ) throws(ConnectError) {
        let silence =
            "the server did not describe a query within \(timeout) (database.connect_timeout); is its table locked?"
        try connection.receive(within: timeout, silence: silence, body)
    }
}

/// A null for each parameter.
private struct Nulls: QueryParameters {
    let count: Int

    func withParameters<Result>(_ body: (Int32, UnsafePointer<UnsafePointer<CChar>?>?) -> Result) -> Result {
        [UnsafePointer<CChar>?](repeating: nil, count: count).withUnsafeBufferPointer {
            body(Int32(clamping: count), $0.baseAddress)
        }
    }
}

private typealias Column = (name: String, type: UInt32)

/// What the server told of a statement, with types by their numbers.
private struct Shape {
    var parameterTypes: [UInt32] = []
    var columns: [Column] = []
    var mistake: QueryMistake?
}

/// Which query is asked about.
private struct Question {
    let group: String
    let part: QueryMistake.Part

    func mistake(_ message: String, at position: QueryText.Position? = nil) -> QueryMistake {
        QueryMistake(group: group, part: part, message: message, at: position)
    }

    /// Why a query of so many parameters is none for a key of `expected` parts.
    func mistake(inParameters count: Int, expected: Int) -> QueryMistake? {
        if count == expected { return nil }
        switch part {
        case .query: return mistake("the server counts \(count) parameters where the SQL seems to have \(expected)")
        case .table: return nil
        case .batch:
            let arrays = expected == 1 ? "one array, $1" : "an array for each of the \(expected) parts of a key"
            return mistake("the query takes \(arrays), this one has \(count) parameters")
        }
    }

    /// Why columns of these names are no row or value.
    func mistake(inColumns names: [String], _ returns: QueryGetter.Returns) -> QueryMistake? {
        if names.isEmpty { return mistake("the query gives no columns") }
        switch returns {
        case .value:
            return names.count == 1 ? nil : mistake(QueryGetter.mistake(inValueOf: names.count))
        case .row:
            guard let twice = Dictionary(names.map { ($0, 1) }, uniquingKeysWith: +).first(where: { $0.value > 1 })
            else { return nil }
            return mistake("two columns are called \"\(twice.key)\"; name them apart with AS")
        case .rows: return nil
        }
    }
}

extension QueryGetter {
    fileprivate func description(of shape: Shape, typeNames: [UInt32: String]) -> GroupDescription {
        var description = GroupDescription(group: name)
        description.mistake = shape.mistake
        guard description.mistake == nil else { return description }
        description.parameters = shape.parameterTypes.map { typeNames[$0] ?? "type \($0)" }
        description.columns = shape.columns.map {
            GroupDescription.Column(name: $0.name, type: typeNames[$0.type] ?? "type \($0.type)")
        }
        return description
    }
}
