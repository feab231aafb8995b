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

    static var noThread: BenchError { BenchError(.unavailable, "the system gives no more threads") }
}
