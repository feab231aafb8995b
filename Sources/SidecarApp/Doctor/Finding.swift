/// One thing that the doctor looked at, and how it stands.
public struct Finding: Sendable, Equatable, Encodable {
    /// How bad it is.
    public enum Severity: String, Sendable, Encodable {
        /// As it should be.
        case ok
        /// It works, and may not be what was meant, or not for long.
        case warn
        /// Something does not work.
        case fail
    }

    /// How bad it is.
    public let severity: Severity
    /// The name of the check that found it.
    public internal(set) var check = ""
    /// What was seen.
    public let seen: String
    /// What mends it, to be done in this order; empty when nothing is to be mended, or what was seen says all.
    public let remedies: [Remedy]

    static func ok(_ seen: String) -> Finding { Finding(severity: .ok, seen: seen, remedies: []) }

    static func warn(_ seen: String, _ remedies: Remedy...) -> Finding {
        Finding(severity: .warn, seen: seen, remedies: remedies)
    }

    static func fail(_ seen: String, _ remedies: Remedy...) -> Finding {
        Finding(severity: .fail, seen: seen, remedies: remedies)
    }

    init(severity: Severity, seen: String, remedies: [Remedy]) {
        (self.severity, self.seen, self.remedies) = (severity, seen, remedies)
    }
}

/// A step that mends what was found.
public struct Remedy: Sendable, Equatable, Encodable {
    /// Where it is to be done.
    public enum Kind: String, Sendable, Encodable {
        /// A command for a shell.
        case run
        /// SQL for whoever owns the tables, or administers the server.
        case sql
        /// A line of the settings file, with its sections before it: `listen.max_clients: 900`.
        case set
        /// Words, where no command can be told.
        case advice
    }

    /// Where it is to be done.
    public let kind: Kind
    /// The command, the SQL, the line, or the words.
    public let text: String

    static func run(_ text: String) -> Remedy { Remedy(kind: .run, text: text) }
    static func sql(_ text: String) -> Remedy { Remedy(kind: .sql, text: text) }
    static func set(_ text: String) -> Remedy { Remedy(kind: .set, text: text) }
    static func advice(_ text: String) -> Remedy { Remedy(kind: .advice, text: text) }
}
