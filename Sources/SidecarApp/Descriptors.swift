import Admin
import Glibc
import Logging
import Machine
import Server

/// How many of the process's file descriptors clients may have, so that there are always some for the database.
enum Descriptors {
    /// What one database connection takes while it is made, at most: its socket, a name service's, a file with a password or
    /// a certificate.
    private static let perDatabaseConnection = 3
    /// Cancel requests, each a connection of its own; a connection that describes queries; what `INFO` looks at; clients
    /// that are refused; connections that are closed at this moment.
    private static let spare = 48

    /// Raises the process's limit as far as the settings need it and the system allows. Returns how many clients there may
    /// be: fewer than `max_clients`, with a warning, when the limit is too low. `open` is how many were open before there was any.
    static func clients(_ settings: Settings, open: Int, logger: Logger) throws -> Int {
        let ours = own(settings, open: open)
        let limit = raisedLimit(settings.listen.maxClients + ours)
        let clients = min(settings.listen.maxClients, limit - ours)
        guard clients >= 1 else {
            throw StartupError(
                .systemRefuses,
                "the limit of open files, \(limit), leaves none for clients: the database takes up to \(ours); "
                    + "raise it (LimitNOFILE= of systemd, or ulimit -n)")
        }
        if clients < settings.listen.maxClients {
            logger.warning(
                "fewer clients than max_clients: the limit of open files is too low; raise LimitNOFILE= or ulimit -n",
                metadata: [
                    "max_clients": "\(settings.listen.maxClients)", "clients": "\(clients)",
                    "limit": "\(limit)", "needed": "\(settings.listen.maxClients + ours)",
                ])
        }
        return clients
    }

    /// How many are not for clients.
    static func own(_ settings: Settings, open: Int = openCount) -> Int {
        open + Wiring.connections(settings) * perDatabaseConnection + spare
            + (settings.admin.listen == nil ? 0 : AdminServer.descriptorLimit)
    }

    /// How far the soft limit can be raised.
    static var hardLimit: Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return .max }
        return Int(clamping: limit.rlim_max)
    }

    /// Raises the soft limit towards `wanted`; returns what it is then.
    private static func raisedLimit(_ wanted: Int) -> Int {
        var limit = rlimit()
        let kind = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard getrlimit(kind, &limit) == 0 else { return wanted }
        if limit.rlim_cur < rlim_t(wanted) {
            let before = limit.rlim_cur
            limit.rlim_cur = min(rlim_t(wanted), limit.rlim_max)
            if setrlimit(kind, &limit) != 0 { limit.rlim_cur = before }
        }
        return Int(clamping: limit.rlim_cur)
    }

    /// How many are open now.
    static var openCount: Int { ProcessFigures.openDescriptorCount ?? 64 }
}
