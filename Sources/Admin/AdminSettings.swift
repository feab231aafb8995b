/// What an ``AdminServer`` is told: where it listens, and what it may tell.
package struct AdminSettings: Sendable, Equatable {
    /// Nil: nowhere, and nothing of it runs.
    package var listen: AdminAddress?
    /// Whether it tells keys: of slow loads, and which are asked for most.
    package var showsKeys = false

    /// Nowhere.
    package init() {}
}

/// Where an ``AdminServer`` listens.
package enum AdminAddress: Sendable, Equatable, CustomStringConvertible {
    /// An address or name of this machine, and a port; 0: any that is free.
    case tcp(host: String, port: Int)
    /// The path of a Unix socket.
    case unix(String)

    /// Reads `127.0.0.1:9187`, `[::1]:9187` or `unix:/run/pgsidecar/admin.sock`; nil when it is none of these.
    package init?(_ text: String) {
        if text.hasPrefix("unix:") || text.hasPrefix("/") {
            let path = String(text.hasPrefix("/") ? text[...] : text.dropFirst("unix:".count))
            guard !path.isEmpty, path.utf8.count <= 107 else { return nil }
            self = .unix(path)
            return
        }
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return nil
        }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        guard !host.isEmpty, !host.contains(where: \.isWhitespace) else { return nil }
        self = .tcp(host: String(host), port: Int(port))
    }

    /// As it is written in settings.
    package var description: String {
        switch self {
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }
}
