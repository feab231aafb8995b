import Postgres

/// Why something could not be measured, and what would help.
public struct BenchError: Error, CustomStringConvertible, Sendable {
    /// What kind it is.
    public enum Code: Sendable {
        /// A server, or the file of keys, can't be reached or used.
        case unavailable
        /// What was asked for can't be done to what is there.
        case unsuitable
    }

    /// What kind it is.
    public let code: Code
    /// The reason.
    public let description: String

    /// An error with its reason.
    public init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }

    /// What went wrong at a database. What the server says of a statement is for who wrote that.
    init(_ what: String, _ error: any Error) {
        let isStatements = (error as? SQLFailure).map { !$0.isLost && !$0.state.isEmpty } ?? false
        let code = (error as? BenchError)?.code ?? (isStatements ? .unsuitable : .unavailable)
        self.init(code, "\(what): \(error)")
    }

    static var noThread: BenchError { BenchError(.unavailable, "the system gives no more threads") }
}
