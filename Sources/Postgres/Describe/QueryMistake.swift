/// Why a group's query cannot work. For the operator's terminal and logs: it may quote the SQL.
public struct QueryMistake: Error, Sendable, Equatable, CustomStringConvertible {
    /// Which of a group's two queries, or which of its tables.
    public enum Part: Sendable, Equatable {
        /// The group's own.
        case query
        /// That of its batch. The group works without it, key by key.
        case batch
        /// None: a table that should tell of its keys, by its index in ``QueryGetter/keyedBy``. Nothing is kept then.
        case table(Int)
    }

    /// The group's name.
    public let group: String
    /// Which of its queries is wrong.
    public let part: Part
    /// What is wrong.
    public let message: String
    /// What may help.
    public let hint: String?
    /// PostgreSQL's code; nil when the mistake was found without the server.
    public let sqlState: String?
    /// The line in that query's SQL, from 1; nil when the mistake stands nowhere in it.
    public let line: Int?
    /// The column in that line, in Unicode scalars, from 1.
    public let column: Int?

    init(
        group: String, part: Part, message: String, hint: String? = nil, sqlState: String? = nil,
        at position: QueryText.Position? = nil
    ) {
        self.group = group
        self.part = part
        self.message = message
        self.hint = hint
        self.sqlState = sqlState
        line = position?.line
        column = position?.column
    }

    /// One line: group, position, what is wrong, the hint and the code.
    public var description: String {
        var text = group
        switch part {
        case .query: break
        case .batch: text += ".batch"
        case .table: text += ".invalidate_on"
        }
        if let line, let column { text += ": line \(line), column \(column)" }
        text += ": \(message)"
        if let hint { text += " (\(hint))" }
        if let sqlState { text += " [SQLSTATE \(sqlState)]" }
        return text
    }
}

extension QueryMistake {
    /// What the server said of a statement.
    ///
    /// - Parameter isWrapped: Whether it took the user's SQL as it stands, and refuses what is made of it.
    init(_ error: PostgresError, in statement: Statement, group: String, part: Part, isWrapped: Bool) {
        let position = error.position.flatMap { statement.userPosition(of: $0) }
        let foreign = statement.text.foreignParameter(behind: error, at: position)
        self.init(
            group: group, part: part, message: error.message,
            hint: foreign.map { "a getter's parameters are $1, $2 and so on, not \($0.spelling)" }
                ?? error.hint ?? Self.hint(for: error, part, isWrapped: isWrapped, hasPosition: position != nil),
            sqlState: error.state.code.isEmpty ? nil : error.state.code, at: foreign?.position ?? position)
    }

    private static func hint(for error: PostgresError, _ part: Part, isWrapped: Bool, hasPosition: Bool) -> String? {
        if isWrapped, error.isSyntaxError || error.state == .featureNotSupported {
            return "a getter only reads: a SELECT without INTO, INSERT, UPDATE, DELETE or MERGE"
        }
        if error.isSyntaxError { return "a getter is one SELECT; its parameters are $1, $2 and so on" }
        if error.state == .insufficientPrivilege { return "grant it to the role that pgsidecar connects as" }
        if error.state == .indeterminateDatatype {
            return
                "parameters are counted from $1 on without a gap, and one that may be of any type needs a cast: $1::integer"
        }
        if error.state == .invalidTextRepresentation, error.message.hasSuffix("\"$1\"") {
            return "a parameter stands without quotes: $1, not '$1'"
        }
        switch part {
        case .query, .table: return nil
        case .batch:
            return isWrapped && !hasPosition
                ? "a batch takes an array for each part of the key, and its first columns are the key's parts" : nil
        }
    }
}

extension QueryText {
    /// What may be another's parameter and the reason of an error: one of syntax where it stands or behind it, or an operator or
    /// column that is none there, in SQL that has no parameter of PostgreSQL's.
    fileprivate func foreignParameter(behind error: PostgresError, at position: Position?) -> ForeignParameter? {
        guard let foreignParameter else { return nil }
        guard let position else { return error.isSyntaxError ? foreignParameter : nil }
        let start = foreignParameter.position
        let columns = start.column...start.column + foreignParameter.spelling.unicodeScalars.count
        let isBehind = (position.line, position.column) >= (start.line, start.column)
        let isThere = position.line == start.line && columns.contains(position.column)
        let isCause =
            error.isSyntaxError && isBehind || error.isSchemaMismatch && isThere && parameterCount == 0
        return isCause ? foreignParameter : nil
    }
}

extension PostgresError {
    fileprivate var isSyntaxError: Bool { state == .syntaxError }
}
