import CLibPQ
import Glibc
import Groundwork

/// Why no database connection could be made.
public struct ConnectError: Error, Sendable, CustomStringConvertible {
    /// What libpq said, without what may be a credential; for logs and the operator's terminal.
    public let description: String

    /// Whether it is a server's word: it is there and answers, if only to refuse. (libpq has no code for it.)
    var isRefusal: Bool { description.contains("FATAL:") }

    /// One end follows each command. Two in a row tell that libpq expects nothing more though an answer is due; it would say
    /// so for ever.
    static var lostCount: ConnectError { ConnectError(description: "the connection lost count of its answers") }
}

extension PQConnection {
    /// Connects, as libpq does it: service and password files, several hosts in turn, `target_session_attrs`, TLS.
    ///
    /// Blocks, so it is for threads of its own. An event loop could drive `PQconnectPoll` instead, but that resolves host
    /// names and reads files without regard for the loop, and it knows no time limit: a host that swallows packets would
    /// take the whole attempt's time, and the hosts after it would never have their turn. Here libpq keeps
    /// `connect_timeout` for each address.
    ///
    /// - Parameter options: For the server's session, in place of those of the URL or the environment.
    static func connect(_ settings: DatabaseSettings, options: String? = nil) throws(ConnectError) -> PQConnection {
        if let url = settings.url, !DatabaseSettings.isConnectionString(url.exposed) {
            throw ConnectError(description: "database.url is not a connection string that libpq understands")
        }
        guard let pointer = withParameters(settings, options: options, { PQconnectdbParams($0, $1, 1) }) else {
            throw ConnectError(description: "out of memory")
        }
        PQsetNoticeProcessor(pointer, { _, _ in }, nil)
        let connection = PQConnection(takingOver: pointer)
        guard !connection.isBroken else {
            throw ConnectError(description: safeText(connection.errorText, url: settings.url?.exposed))
        }
        return connection
    }

    /// A server's refusal never holds the password. What libpq says before it reached one may quote parts of a string
    /// in which a password was not escaped: of each line only what cannot be one is told.
    static func safeText(_ text: String, url: String?) -> String {
        let mayHoldPassword = url.map { $0.contains("@") || $0.contains("password") } ?? false
        if !mayHoldPassword { return text }
        let lines = text.split(separator: "\n").compactMap { line -> String? in
            if line.hasPrefix("connection to server") || line.hasPrefix("\t") { return String(line) }
            // A host's name may be the end of a password with an `@` in it.
            guard line.hasPrefix("could not translate host name"),
                let reason = line.split(separator: "\"", omittingEmptySubsequences: false).last
            else { return nil }
            return "could not translate the host's name\(reason)"
        }
        guard let first = lines.first, !first.hasPrefix("\t") else {
            return "libpq refused database.url; `psql` with the same string tells why"
        }
        return lines.joined(separator: "\n")
    }

    /// Later names override earlier ones and what the URL says overrides what stands before it, so the URL's own
    /// `connect_timeout` wins, and the encoding is always ours.
    private static func withParameters<Result>(
        _ settings: DatabaseSettings, options: String?,
        _ body: (UnsafePointer<UnsafePointer<CChar>?>, UnsafePointer<UnsafePointer<CChar>?>) -> Result?
    ) -> Result? {
        var parameters = [
            ("fallback_application_name", "pgsidecar"),
            ("connect_timeout", String(settings.connectTimeoutSeconds)),
        ]
        if let url = settings.url { parameters.append(("dbname", url.exposed)) }
        if let password = settings.password { parameters.append(("password", password.exposed)) }
        parameters.append(("client_encoding", "UTF8"))
        if let options { parameters.append(("options", options)) }
        return withCStrings(parameters.map(\.0)) { names in
            withCStrings(parameters.map(\.1)) { values in body(names, values) }
        }
    }
}

extension DatabaseSettings {
    /// Whether libpq can read `text` as a connection URL or string. What it names need not be there.
    public static func isConnectionString(_ text: String) -> Bool {
        // libpq's own words for a bad string quote it, with the password, so only the verdict is used.
        var words: UnsafeMutablePointer<CChar>?
        defer { PQfreemem(words) }
        guard let options = PQconninfoParse(text, &words) else { return false }
        PQconninfoFree(options)
        return true
    }

    /// The options for the server's session that ``url`` or the environment has; nil when a service file may have some,
    /// which libpq reads itself.
    var sessionOptions: String? {
        var found = ["options": "", "service": ""]
        if let url, let options = PQconninfoParse(url.exposed, nil) {
            defer { PQconninfoFree(options) }
            var option = options
            while let keyword = option.pointee.keyword {
                if let value = option.pointee.val { found[String(cString: keyword)] = String(cString: value) }
                option += 1
            }
        }
        if found["service"] != "" || getenv("PGSERVICE") != nil { return nil }
        if let options = found["options"], !options.isEmpty { return options }
        return getenv("PGOPTIONS").map { String(cString: $0) } ?? ""
    }
}

/// Calls `body` with pointers to the strings' bytes, closed by a null pointer; they hold for the call only.
private func withCStrings<Result>(
    _ strings: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> Result?
) -> Result? {
    let bytes = strings.flatMap { $0.utf8CString }
    return bytes.withUnsafeBufferPointer { bytes -> Result? in
        guard let base = bytes.baseAddress else { return nil }
        var starts: [UnsafePointer<CChar>?] = []
        var offset = 0
        for string in strings {
            starts.append(base + offset)
            offset += string.utf8.count + 1
        }
        starts.append(nil)
        return starts.withUnsafeBufferPointer { starts in starts.baseAddress.flatMap(body) }
    }
}
