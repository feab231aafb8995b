/// Why the sidecar could not start, in words for the one who starts it.
public struct StartupError: Error, Sendable, CustomStringConvertible {
    /// The kind of reason; the command line's exit code follows it.
    public enum Code: Sendable {
        /// No database connection came about.
        case databaseUnreachable
        /// The database refuses a group's query.
        case queryRefused
        /// Changes in the database are to be heard of, and are not.
        case changesUnheard
        /// The socket can't be had: another instance holds it, or its folder is missing.
        case socketUnavailable
        /// The database lacks what the demo serves.
        case demoTablesMissing
        /// The demo's files aren't below the current folder.
        case demoFilesMissing
        /// What tells of changes is not, or can't be, set up as the settings say.
        case sourceNotReady
        /// The system has no descriptors or memory left.
        case systemRefuses
    }

    /// The kind of reason.
    public let code: Code
    /// The reason, and what would help.
    public let description: String

    /// An error of a kind, with its reason and what would help.
    public init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}
