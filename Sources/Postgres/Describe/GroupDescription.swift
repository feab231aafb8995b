/// What the server says about one group's query, without having run it.
public struct GroupDescription: Sendable {
    /// One column of the result.
    public struct Column: Sendable, Equatable {
        /// Its name.
        public let name: String
        /// Its type, as PostgreSQL writes it, for example `integer`.
        public let type: String
    }

    /// The group's name.
    public let group: String
    /// The types of the parameters, in their order; empty when there is a mistake.
    public internal(set) var parameters: [String] = []
    /// The columns of the result; empty for `returns: rows`, where PostgreSQL makes one text of them, and when there is a
    /// mistake.
    public internal(set) var columns: [Column] = []
    /// Why the query can't work; nil when it can.
    public internal(set) var mistake: QueryMistake?
}

/// Why a group's query cannot work. For the operator's terminal and logs: it may quote the SQL.
public struct QueryMistake: Error, Sendable, Equatable, CustomStringConvertible {
    /// The group's name.
    public let group: String
    /// What is wrong.
    public let message: String
    /// What may help, in the server's words.
    public let hint: String?
    /// PostgreSQL's code; nil when the mistake was found without the server.
    public let sqlState: String?
    /// The line in the group's SQL, from 1.
    public let line: Int?
    /// The column in that line, in characters from 1.
    public let column: Int?

    init(group: String, message: String) {
        self.init(group: group, message: message, hint: nil, sqlState: nil, line: nil, column: nil)
    }

    private init(group: String, message: String, hint: String?, sqlState: String?, line: Int?, column: Int?) {
        self.group = group
        self.message = message
        self.hint = hint
        self.sqlState = sqlState
        self.line = line
        self.column = column
    }

    /// What the server said of a statement of `getter`, with the position in the user's own text.
    init(_ error: ServerError, in statement: Statement, of getter: QueryGetter) {
        let place = error.position.flatMap { statement.userPosition(of: $0) }
        self.init(
            group: getter.name, message: (statement == getter.statement ? "" : "batch: ") + error.message,
            hint: error.hint,
            sqlState: error.state.code.isEmpty ? nil : error.state.code, line: place?.line, column: place?.column)
    }

    /// One line: group, place, what is wrong, the hint and the code.
    public var description: String {
        var text = group
        if let line, let column { text += ": line \(line), column \(column)" }
        text += ": \(message)"
        if let hint { text += " (\(hint))" }
        if let sqlState { text += " [SQLSTATE \(sqlState)]" }
        return text
    }
}
