import CLibPQ
import Glibc
import Groundwork

/// Why no database connection could be made.
public struct ConnectError: Error, Sendable, CustomStringConvertible {
    /// What libpq said, without what may be a credential; for logs and the operator's terminal.
    public let description: String

    /// Whether it is a server's word: it is there and answers, if only to refuse. (libpq has no code for it.)
    var isRefusal: Bool { description.contains("FATAL:") }

    /// One nil ends each command's results. Two in a row mean that libpq expects nothing more though an answer is due, and
    /// would say so for ever.
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
    /// - Parameters:
    ///   - purpose: What the connection is for, as `application_name` says it.
    ///   - options: For the server's session, in place of those of the URL or the environment.
    ///   - more: Further parameters of libpq, by name; they go before the URL's.
    static func connect(
        _ settings: DatabaseSettings, for purpose: ConnectionPurpose, options: String? = nil,
        more: [(name: String, value: String)] = []
    ) throws(ConnectError) -> PQConnection {
        if let url = settings.url, !DatabaseSettings.isConnectionString(url.exposed) {
            throw ConnectError(description: "database.url is not a connection string that libpq understands")
        }
        let parameters = parameters(settings, for: purpose, options: options) + more
        guard let pointer = withCStrings(of: parameters, { PQconnectdbParams($0, $1, 1) }) else {
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
    private static func parameters(
        _ settings: DatabaseSettings, for purpose: ConnectionPurpose, options: String?
    ) -> [(name: String, value: String)] {
        // In a service file, which libpq reads itself, may be a name of the user's.
        var parameters = [
            ("fallback_application_name", purpose.applicationName),
            ("connect_timeout", String(settings.connectTimeoutSeconds)),
        ]
        if let url = settings.url { parameters.append(("dbname", url.exposed)) }
        if let password = settings.password { parameters.append(("password", password.exposed)) }
        if let name = settings.applicationName {
            let own = name.isEmpty ? purpose.applicationName : purpose.applicationName(behind: name)
            parameters.append(("application_name", own))
        }
        parameters.append(("client_encoding", "UTF8"))
        if let options { parameters.append(("options", options)) }
        return parameters
    }

    private static func withCStrings<Result>(
        of parameters: [(name: String, value: String)],
        _ body: (UnsafePointer<UnsafePointer<CChar>?>, UnsafePointer<UnsafePointer<CChar>?>) -> Result?
    ) -> Result? {
        Postgres.withCStrings(parameters.map(\.name)) { names in
            Postgres.withCStrings(parameters.map(\.value)) { values in body(names, values) }
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

    /// The options for the server's session that ``url`` or the environment has; nil when a service file, which only libpq
    /// reads, may have some.
    var sessionOptions: String? {
        let found = urlParameters
        if let service = found["service"], !service.isEmpty { return nil }
        if getenv("PGSERVICE") != nil { return nil }
        if let options = found["options"], !options.isEmpty { return options }
        return getenv("PGOPTIONS").map { String(cString: $0) } ?? ""
    }

    /// The `application_name` that ``url`` or the environment has; nil when there is none.
    package var applicationName: String? {
        urlParameters["application_name"] ?? getenv("PGAPPNAME").map { String(cString: $0) }
    }

    /// Whether connections may lead to several servers of which some are standbys: it, or the environment, names several hosts
    /// and asks for none in particular. What stands in a service file is not seen.
    public var mayReachStandbys: Bool {
        let found = urlParameters
        let hosts = [found["host"], found["hostaddr"]].compactMap { $0 }
        let named =
            hosts.isEmpty
            ? [getenv("PGHOST"), getenv("PGHOSTADDR")].compactMap { $0.map { String(cString: $0) } } : hosts
        guard named.contains(where: { $0.contains(",") }) else { return false }
        let wanted =
            found["target_session_attrs"] ?? getenv("PGTARGETSESSIONATTRS").map { String(cString: $0) } ?? "any"
        return wanted != "primary" && wanted != "read-write"
    }

    /// What ``url`` says, by libpq's names.
    var urlParameters: [String: String] {
        guard let url, let options = PQconninfoParse(url.exposed, nil) else { return [:] }
        defer { PQconninfoFree(options) }
        var found: [String: String] = [:]
        var option = options
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val { found[String(cString: keyword)] = String(cString: value) }
            option += 1
        }
        return found
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
