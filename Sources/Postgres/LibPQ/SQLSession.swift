import CLibPQ
package import Groundwork

/// A connection for one statement after the other that waits for each answer: for tools and tests, and no loop's thread.
package struct SQLSession: ~Copyable, Sendable {
    private let connection: PQConnection

    /// Connects, with nothing but what `url` says and the name by which `pg_stat_activity` shows it.
    package init(url: Secret, name: String) throws(ConnectError) {
        var settings = DatabaseSettings()
        settings.url = url
        let connection = try PQConnection.connect(settings, for: .sql)
        do throws(SQLFailure) {
            _ = try Self.run("set application_name = \(Self.quoted(name))", on: connection)
        } catch {
            throw ConnectError(description: error.description)
        }
        self.connection = connection
    }

    /// Runs one or more statements, as one transaction unless they say otherwise, and returns the last one's rows, each field
    /// as its text and null as nil.
    package func run(_ sql: String) throws(SQLFailure) -> [[String?]] {
        try Self.run(sql, on: connection)
    }

    private static func run(_ sql: String, on connection: borrowing PQConnection) throws(SQLFailure) -> [[String?]] {
        guard let pointer = PQexec(connection.pointer, sql) else {
            throw SQLFailure(description: connection.errorText, isLost: true)
        }
        let result = PQResult(takingOver: pointer)
        switch result.status {
        case .rows:
            return (0..<result.rowCount).map { row in
                (0..<result.columnCount).map { column in
                    result.isNull(row: row, column: column) ? nil : result.text(row: row, column: column)
                }
            }
        case .done: return []
        case .error, .aborted, .sync:
            throw SQLFailure(description: connection.errorText, isLost: connection.isBroken)
        }
    }

    /// A text as SQL has it.
    package static func quoted(_ text: String) -> String { "'\(text.replacing("'", with: "''"))'" }
}

/// Why statements were not run to their end.
package struct SQLFailure: Error, CustomStringConvertible, Sendable {
    /// What the server, or libpq, said.
    package let description: String
    /// Whether the connection is gone: then nobody knows what became of a transaction whose commit was under way.
    package let isLost: Bool

    package init(description: String, isLost: Bool) {
        self.description = description
        self.isLost = isLost
    }
}
