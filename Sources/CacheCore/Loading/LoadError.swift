/// Why a load brought no answer. Errors reach every waiter as the same text and are never cached.
public struct LoadError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What went wrong, as a caller would tell it apart.
    public enum Code: Sendable, Hashable, CaseIterable {
        /// The key cannot be one of this group: wrong number of parts, or text that is not of the parameter's type.
        case badKey
        /// No answer within the deadline.
        case timedOut
        /// The source cannot be reached at the moment.
        case unavailable
        /// More loads than the sidecar takes on at once.
        case busy
        /// The source refused the getter's query.
        case query
        /// The load ended without an answer: its work was dropped or cancelled.
        case abandoned
    }

    /// What went wrong.
    public let code: Code
    /// A text that may go to any client: without SQL, values and credentials.
    public let message: String
    /// What only a debug log may show.
    public let detail: String?

    /// An error with a text for clients and, where there is more to tell, one for debug logs.
    public init(_ code: Code, _ message: String, detail: String? = nil) {
        self.code = code
        self.message = message
        self.detail = detail
    }

    /// The client's text.
    public var description: String { message }
}

/// How a load ended.
public typealias Outcome = Result<Value, LoadError>
