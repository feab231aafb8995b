import Glibc
import Groundwork

/// Asks the server to parse and describe statements, over a connection that nobody else uses. Waits for the answers until
/// its deadline, so it is for threads that may block.
struct DescribeSession: ~Copyable {
    private let deadline: Instant

    init(deadline: Instant) {
        self.deadline = deadline
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
            var shape = try shape(of: getter.statement, for: getter, on: connection)
            if shape.mistake == nil, let batch = getter.batch {
                shape.mistake = try mistake(in: batch, for: getter, on: connection)
            }
            shapes.append(shape)
        }
        let types = Set(shapes.flatMap { $0.parameterTypes + $0.columns.map(\.type) })
        let names = try typeNames(of: types, on: connection)
        return zip(getters, shapes).map { $0.description(of: $1, typeNames: names) }
    }

    /// What is wrong with a batch query; nil when it can work.
    private func mistake(
        in batch: BatchStatement, for getter: QueryGetter, on connection: borrowing PQConnection
    ) throws(ConnectError) -> QueryMistake? {
        let keyParts = getter.keyParts ?? 0
        func mistake(_ message: String) -> QueryMistake {
            QueryMistake(group: getter.name, message: "batch: \(message)")
        }
        guard batch.parameterCount == keyParts else {
            let arrays = keyParts == 1 ? "one array, $1" : "an array for each of the \(keyParts) parts of a key"
            return mistake("the query takes \(arrays), this one has \(batch.parameterCount) parameters")
        }
        // First as it stands, which tells the columns, then as it is sent.
        let plain = Statement(QueryText(batch.statement.userSQL), group: getter.name, prefix: "", suffix: "")
        let own = try shape(of: plain, for: getter, on: connection)
        if let refused = own.mistake { return refused }
        let columns = own.columns.dropFirst(keyParts).map(\.name)
        guard !columns.isEmpty else {
            return mistake(
                "the query gives \(own.columns.count) columns: the key's (\(keyParts)), then those of the row")
        }
        if let refused = getter.mistake(inColumns: columns) { return mistake(refused.message) }
        return try shape(of: batch.statement, for: getter, on: connection).mistake
    }

    private func shape(
        of statement: Statement, for getter: QueryGetter, on connection: borrowing PQConnection
    ) throws(ConnectError) -> Shape {
        if let mistake = statement.mistake {
            return Shape(mistake: QueryMistake(group: getter.name, message: mistake))
        }
        guard connection.sendPrepare("", statement.sql), connection.sendDescribe("") else {
            throw ConnectError(description: connection.errorText)
        }
        var shape = Shape()
        try receive(on: connection) { result in
            switch result.status {
            case .error: shape.mistake = QueryMistake(result.error, in: statement, of: getter)
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
    private func receive(
        on connection: borrowing PQConnection, _ body: (borrowing PQResult) -> Void
    ) throws(ConnectError) {
        guard connection.sendSync() else { throw ConnectError(description: connection.errorText) }
        while true {
            try waitForResult(on: connection)
            guard let result = connection.nextResult() else {
                if connection.isBroken { throw ConnectError(description: connection.errorText) }
                continue
            }
            if case .sync = result.status { return }
            body(result)
        }
    }

    private func waitForResult(on connection: borrowing PQConnection) throws(ConnectError) {
        while connection.isBusy {
            let isSent = connection.flush() == .done
            let left = (deadline - Instant.now()).wholeNanoseconds / 1_000_000
            guard left > 0 else { throw ConnectError(description: "the server did not describe the queries in time") }
            var wait = pollfd(
                fd: connection.descriptor, events: Int16(isSent ? POLLIN : POLLIN | POLLOUT), revents: 0)
            _ = poll(&wait, 1, Int32(clamping: left))
            guard wait.revents == 0 || connection.consumeInput() else {
                throw ConnectError(description: connection.errorText)
            }
        }
    }
}

/// What the server told of a statement, with types by their numbers.
private struct Shape {
    var parameterTypes: [UInt32] = []
    var columns: [(name: String, type: UInt32)] = []
    var mistake: QueryMistake?
}

extension QueryGetter {
    /// What the shape means for this group: its own columns, and whether they are what `returns` wants.
    fileprivate func description(of shape: Shape, typeNames: [UInt32: String]) -> GroupDescription {
        var description = GroupDescription(group: name)
        description.mistake = shape.mistake ?? mistake(in: shape)
        guard description.mistake == nil else { return description }
        description.parameters = shape.parameterTypes.map { typeNames[$0] ?? "type \($0)" }
        description.columns = ownColumns(of: shape).map {
            GroupDescription.Column(name: $0.name, type: typeNames[$0.type] ?? "type \($0.type)")
        }
        return description
    }

    /// Without those that the wrapping adds.
    private func ownColumns(of shape: Shape) -> ArraySlice<(name: String, type: UInt32)> {
        switch returns {
        case .row: shape.columns.dropFirst()
        case .value: shape.columns[...]
        case .rows: []
        }
    }

    private func mistake(in shape: Shape) -> QueryMistake? {
        mistake(inColumns: ownColumns(of: shape).map(\.name))
    }

    /// Why columns of these names are no row or value of this group.
    fileprivate func mistake(inColumns names: [String]) -> QueryMistake? {
        switch returns {
        case .value:
            if names.count == 1 { return nil }
            return QueryMistake(group: name, message: "the query gives \(names.count) columns, a value is one")
        case .row:
            guard let twice = Dictionary(names.map { ($0, 1) }, uniquingKeysWith: +).first(where: { $0.value > 1 })
            else { return nil }
            return QueryMistake(
                group: name, message: "two columns are called \"\(twice.key)\"; name them apart with AS")
        case .rows: return nil
        }
    }
}
