import CLibPQ
package import Groundwork

/// A connection for one statement after the other that waits for each answer. Blocks, so it is for the command line, for tests
/// and for threads of its own; used by one at a time.
package final class SQLSession {
    let connection: PQConnection

    /// Connects; `name`, if given, is what `pg_stat_activity` shows.
    package init(
        _ settings: DatabaseSettings, for purpose: ConnectionPurpose = .sql, name: String? = nil
    ) throws(ConnectError) {
        let more = name.map { [(name: "application_name", value: $0)] } ?? []
        connection = try PQConnection.connect(settings, for: purpose, more: more)
    }

    /// Connects as `url` says.
    package convenience init(url: Secret, name: String) throws(ConnectError) {
        var settings = DatabaseSettings()
        settings.url = url
        try self.init(settings, name: name)
    }

    /// Runs one or more statements, as one transaction unless they say otherwise, and returns the last one's rows, each field
    /// as its text and NULL as nil.
    @discardableResult
    package func run(_ sql: String) throws(SQLFailure) -> [[String?]] {
        try rows(of: PQexec(connection.pointer, sql))
    }

    /// Runs one statement with texts as its parameters, nil for NULL, and returns its rows likewise.
    @discardableResult
    package func run(_ sql: String, _ parameters: [String?]) throws(SQLFailure) -> [[String?]] {
        let result = TextParameters(parameters).withParameters {
            PQexecParams(connection.pointer, sql, $0, nil, $1, nil, nil, 0)
        }
        return try rows(of: result)
    }

    /// The rows of an answer of libpq's, which is freed.
    func rows(of pointer: OpaquePointer?) throws(SQLFailure) -> [[String?]] {
        guard let pointer else { throw SQLFailure(connection.errorText, isLost: true) }
        let result = PQResult(takingOver: pointer)
        switch result.status {
        case .rows, .done: return result.texts
        case .error, .aborted, .sync: throw SQLFailure(result.error, isLost: connection.isBroken)
        }
    }
}

/// Why a statement was not run to its end. For the operator: its texts may hold names and values.
package struct SQLFailure: Error, Equatable, CustomStringConvertible {
    /// The SQLSTATE; empty when it is not the server's word.
    package let state: String
    /// What the server, or libpq, said.
    package let message: String
    /// What the server advises, if anything.
    package let hint: String?
    /// Whether the connection is gone: then nobody knows what became of a transaction whose commit was under way.
    package let isLost: Bool

    /// A failure that is not the server's word.
    package init(_ message: String, isLost: Bool) {
        (state, hint) = ("", nil)
        self.message = message
        self.isLost = isLost
    }

    /// What the server said.
    init(_ error: PostgresError, isLost: Bool) {
        (state, message, hint) = (error.state.code, error.message, error.hint)
        self.isLost = isLost
    }

    /// All of it, in one line.
    package var description: String {
        message + (hint.map { " (\($0))" } ?? "") + (state.isEmpty ? "" : " (SQLSTATE \(state))")
    }
}
