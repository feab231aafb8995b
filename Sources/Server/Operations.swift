/// What an administrator may ask of the process over a client connection. Each takes its time: it is called on a loop, returns at
/// once, and calls back once, on any thread, with what to answer.
public struct Operations: Sendable {
    /// What is answered when it is done, in one line; or why it was not.
    public typealias Answer = Result<String, OperationError>
    /// Begins it.
    public typealias Operation = @Sendable (_ done: @escaping @Sendable (Answer) -> Void) -> Void

    /// Reads the settings anew; nil: there are none that could change.
    public var reload: Operation?

    /// Makes the database's connections anew, one after the other; nil: there are none.
    public var reconnect: Operation?

    /// Bundles what can be asked for.
    public init(reload: Operation? = nil, reconnect: Operation? = nil) {
        self.reload = reload
        self.reconnect = reconnect
    }
}

/// Why an operation was not done, in words for the one who asked.
public struct OperationError: Error, Sendable, CustomStringConvertible {
    /// What was wrong, and what would help.
    public let message: String

    /// An error with its words.
    public init(_ message: String) {
        self.message = message
    }

    /// The words.
    public var description: String { message }
}
