import CLibPQ
import Groundwork

/// A connection for commands of an administrator, one after the other. Blocks, so it is for threads of its own and for the
/// command line; used by one at a time.
package final class AdministrationSession {
    private let connection: PQConnection

    /// Connects.
    package init(_ settings: DatabaseSettings) throws(ConnectError) {
        connection = try PQConnection.connect(settings, for: .sql)
    }

    /// What the server said of a command.
    package struct Refusal: Error, CustomStringConvertible {
        /// PostgreSQL's code; empty when the connection was lost.
        package let state: String
        /// The server's words.
        package let message: String
        /// What it advises, if anything.
        package let hint: String?

        package var description: String {
            message + (hint.map { " (\($0))" } ?? "") + (state.isEmpty ? "" : " (SQLSTATE \(state))")
        }
    }

    /// The rows of a query with text parameters, as texts; nil for NULL.
    package func rows(_ sql: String, _ parameters: [String?] = []) throws(Refusal) -> [[String?]] {
        let texts = parameters.map { $0.map { Array($0.utf8CString) } ?? [] }
        let bytes = texts.flatMap { $0 }
        let result = bytes.withUnsafeBufferPointer { bytes in
            var offset = 0
            let starts = texts.map { text -> UnsafePointer<CChar>? in
                defer { offset += text.count }
                return text.isEmpty ? nil : bytes.baseAddress.map { UnsafePointer($0 + offset) }
            }
            return starts.withUnsafeBufferPointer {
                PQexecParams(connection.pointer, sql, Int32(clamping: $0.count), nil, $0.baseAddress, nil, nil, 0)
            }
        }
        let answer = try checked(result)
        return (0..<answer.rowCount).map { row in
            (0..<answer.columnCount).map {
                answer.isNull(row: row, column: $0) ? nil : answer.text(row: row, column: $0)
            }
        }
    }

    /// Runs commands without parameters, all as one transaction unless they say otherwise themselves.
    package func run(_ sql: String) throws(Refusal) {
        _ = try checked(PQexec(connection.pointer, sql))
    }

    private func checked(_ result: OpaquePointer?) throws(Refusal) -> PQResult {
        guard let result else { throw Refusal(state: "", message: connection.errorText, hint: nil) }
        let answer = PQResult(takingOver: result)
        switch answer.status {
        case .rows, .done: return answer
        case .error, .aborted, .sync:
            let error = answer.error
            throw Refusal(state: error.state.code, message: error.message, hint: error.hint)
        }
    }
}
