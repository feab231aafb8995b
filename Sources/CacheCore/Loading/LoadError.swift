/// Why a load brought no answer. Errors reach every waiter as the same text and are never cached.
public struct LoadError: Error, Sendable, CustomStringConvertible {
    /// What went wrong, as a caller would tell it apart.
    public enum Code: Sendable, Hashable, CaseIterable {
        /// The key cannot be one of this group: wrong number of parts, or text that is not of the parameter's type.
        case badKey
        /// No answer within the deadline.
        case timedOut
        /// The source cannot be reached at the moment.
        case unavailable
        /// More loads than may run and wait at once.
        case busy
        /// The source refused the getter's query.
        case query
        /// The load ended without an answer: its work was dropped or cancelled.
        case abandoned
    }

    /// What went wrong.
    public let code: Code
    /// A text that may go to anyone: it does not tell queries, values and credentials.
    public let message: String
    /// What only a debug log may show.
    public let detail: String?
    /// What the getter threw, if the load failed for that: the caller of ``Group/get(_:)`` gets it in place of this error.
    public let underlyingError: (any Error)?

    /// An error with a text for anyone and, where there is more to tell, one for debug logs and the error behind it.
    public init(_ code: Code, _ message: String, detail: String? = nil, underlyingError: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.detail = detail
        self.underlyingError = underlyingError
    }

    /// The text for anyone.
    public var description: String { message }
}

extension LoadError: Equatable {
    /// Whether they say the same; what is behind them does not count.
    public static func == (left: LoadError, right: LoadError) -> Bool {
        left.code == right.code && left.message == right.message && left.detail == right.detail
    }
}

/// How a load ended.
public typealias Outcome = Result<Value, LoadError>
