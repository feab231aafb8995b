import CacheCore

/// The texts of errors that several commands answer with. None of them repeats a value, SQL or a credential.
enum ErrorText {
    static func wrongNumberOfArguments(_ command: String) -> String {
        "ERR wrong number of arguments for '\(command)' command"
    }

    static func replyTooLarge(limit: Int) -> String {
        "ERR the reply would take more than max_output (\(limit) bytes)"
    }

    static let noAuthentication = "NOAUTH Authentication required."
    static let wrongType =
        "WRONGTYPE only groups with 'returns: row' have fields; ask this one with GET"

    static func notInThisVersion(_ command: String) -> String {
        "ERR \(command.uppercased()) is not in this version"
    }

    /// What a client sent, fit for an error: bounded, and printable.
    static func quoted(_ text: String, limit: Int = 128) -> String {
        let printable = text.unicodeScalars.prefix(limit).map { scalar in
            scalar.properties.generalCategory == .control ? "?" : Character(scalar)
        }
        return String(printable)
    }
}

extension LoadError {
    /// The error as a client gets it: Redis' kind of code, then the text.
    var reply: String {
        let prefix =
            switch code {
            case .badKey, .query, .abandoned: "ERR"
            case .timedOut: "TIMEOUT"
            case .unavailable: "UNAVAILABLE"
            case .busy: "BUSY"
            }
        return "\(prefix) \(message)"
    }
}
