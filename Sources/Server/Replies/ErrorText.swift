import CacheCore

/// The texts of errors that several commands answer with. None of them repeats a value, SQL or a credential.
enum ErrorText {
    static func wrongNumberOfArguments(_ command: String) -> String {
        "ERR wrong number of arguments for '\(command)' command"
    }

    static func replyTooLarge(limit: Int) -> String {
        "TOOLARGE the reply would take more than max_output (\(limit) bytes)"
    }

    /// An error about one key of several: the code stays in front, then the key is named.
    static func naming(_ key: RawSpan, _ error: String) -> String {
        let name = quoted(key.withUnsafeBytes { String(decoding: $0.prefix(512), as: UTF8.self) })
        guard let space = error.firstIndex(of: " ") else { return error }
        return "\(error[..<space]) key '\(name)':\(error[space...])"
    }

    /// Nobody tells of changes of what was asked for under this spelling.
    static func unwatchable(_ key: RawSpan) -> String {
        let text = key.withUnsafeBytes { String(decoding: $0.prefix(128), as: UTF8.self) }
        return "ERR the key '\(quoted(text, limit: 64))' can't be watched: only the database knows which row that is; "
            + "write its value as the database prints it"
    }

    static let tooMuchKept = "BUSY all clients together keep too many requests and names here (max_buffers)"
    static let syntax = "ERR syntax error"
    static let notAnInteger = "ERR value is not an integer or out of range"
    static func onlyForAdministrators(_ command: String) -> String {
        "NOPERM \(command.uppercased()) is kept to listen.admin_users"
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
    /// The error as a client gets it: a word, then the text. `ERR` says that the request is wrong, and nothing else: some
    /// clients (phpredis) take it for "no such key", and throw for any other word.
    var reply: String {
        let prefix =
            switch code {
            case .badKey: "ERR"
            case .query: "QUERY"
            case .timedOut: "TIMEOUT"
            case .unavailable, .abandoned: "UNAVAILABLE"
            case .busy: "BUSY"
            }
        return "\(prefix) \(message)"
    }
}
