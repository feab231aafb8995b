import CacheCore
import EventLoop
import Glibc
public import Logging
import Postgres
import Server
import ServiceLifecycle
import UnixSignals

/// The running sidecar: settings in, running services out.
public struct Sidecar: Sendable {
    /// The version that `--version`, `INFO` and `HELLO` tell.
    public static let version = "0.1.0"

    private let settings: Settings
    private let logger: Logger

    /// Prepares a sidecar; nothing is opened yet.
    public init(settings: Settings, logger: Logger) {
        self.settings = settings
        self.logger = logger
    }

    /// Serves until SIGTERM or SIGINT, then drains. A second signal ends the process at once.
    ///
    /// A database that cannot be reached does not keep it from starting: it is asked again for as long as it takes. A query
    /// that the database refuses does.
    ///
    /// - Parameter whenReady: Called once, when clients can connect.
    /// - Throws: `StartupError`.
    public func run(whenReady: @escaping @Sendable () -> Void = {}) async throws {
        // A peer that went away is an error of the call that writes to it, not a signal.
        signal(SIGPIPE, SIG_IGN)
        Self.raiseDescriptorLimit(for: settings.listen.maxClients)
        let parts = try Parts(settings, logger: logger)
        for loop in parts.loops { loop.start() }
        defer { parts.stopLoops() }
        parts.database.start()
        do {
            try await Self.refuseMistakes(of: parts.database, settings)
        } catch let error as StartupError where error.code == .databaseUnreachable {
            logger.warning(
                "serving without a database for now; it is asked again until it answers",
                metadata: ["reason": "\(error)"])
        }
        let services: [any Service] = [
            DatabaseService(database: parts.database),
            ExpiryService(cache: parts.cache, loop: parts.loops[0]),
            ServerService(server: parts.server, settings: settings, logger: logger, whenReady: whenReady),
        ]
        try await ServiceGroup(
            services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger
        ).run()
    }

    /// Connects to the database once and has it describe every group's query.
    ///
    /// - Throws: `StartupError`: the database can't be reached, or it refuses queries.
    public static func checkDatabase(_ settings: Settings, logger: Logger) async throws {
        let getters = settings.groups.map(Parts.getter)
        let database = Database(settings: Parts.database(settings), loops: [], getters: getters, logger: logger)
        try await refuseMistakes(of: database, settings)
    }

    private static func refuseMistakes(of database: Database, _ settings: Settings) async throws {
        let descriptions: [GroupDescription]
        do {
            descriptions = try await database.describe()
        } catch let error as ConnectError {
            throw StartupError(.databaseUnreachable, "the database cannot be reached: \(error)")
        }
        let mistakes = descriptions.compactMap(\.mistake)
        guard mistakes.isEmpty else {
            throw StartupError(.queryRefused, mistakes.map { "groups.\($0)" }.joined(separator: "\n"))
        }
    }

    /// Lets the process hold as many descriptors as clients and database connections may need, if the system allows.
    private static func raiseDescriptorLimit(for clients: Int) {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        let wanted = rlim_t(clients) + 1100
        guard limit.rlim_cur < wanted else { return }
        limit.rlim_cur = min(wanted, limit.rlim_max)
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}
