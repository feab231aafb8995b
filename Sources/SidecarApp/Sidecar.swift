import Admin
import CacheCore
import EventLoop
import Glibc
import Invalidation
public import Logging
public import Postgres
import Server
import ServiceLifecycle
import UnixSignals

/// The running sidecar: settings in, running services out.
public struct Sidecar: Sendable {
    /// The version that `--version`, `INFO` and `HELLO` tell.
    public static let version = "0.1.0"

    private let settings: Settings
    private let logger: Logger
    private let isStrict: Bool
    private let reloadSource: ReloadSource?

    /// Prepares a sidecar; nothing is opened yet.
    ///
    /// - Parameters:
    ///   - isStrict: Whether a query that the database refuses keeps it from starting.
    ///   - reloadSource: Where the settings are read again at SIGHUP or `PGS.RELOAD`; nil: they stay.
    public init(settings: Settings, logger: Logger, isStrict: Bool = false, reloadSource: ReloadSource? = nil) {
        self.reloadSource = reloadSource
        self.settings = settings
        self.logger = logger
        self.isStrict = isStrict
    }

    /// Serves until SIGTERM or SIGINT, then drains. A second signal ends the process at once.
    ///
    /// A database that cannot be reached does not keep it from starting: it is asked again for as long as it takes. Nor does
    /// a query that the database refuses, unless the sidecar is strict: its group is degraded, and the others serve.
    ///
    /// - Parameter whenReady: Called once, when clients can connect.
    /// - Throws: `StartupError`.
    public func run(whenReady: @escaping @Sendable () -> Void = {}) async throws {
        // A peer that went away is an error of the call that writes to it, not a signal.
        signal(SIGPIPE, SIG_IGN)
        let (hangups, hangup) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        StraySignals.ignore { hangup.yield() }
        let reloader = Reloader(reloadSource, logger: logger)
        logger.info(
            "starting", metadata: ["version": "\(Self.version)", "process": "\(getpid())", "user": "\(geteuid())"])
        let parts = try Wiring(
            settings, operations: Operations(reload: reloader.reloading, reconnect: reloader.reconnection),
            logger: logger)
        // First of all: a second instance has no business with the database.
        do throws(ServerError) {
            try parts.server.claimSocket()
        } catch {
            throw StartupError(.socketUnavailable, "\(error)")
        }
        defer { parts.stopLoops() }
        guard parts.loops.allSatisfy({ $0.start() }) else { throw Self.noThread }
        // Before anything is loaded: from here on its groups store nothing until changes are heard of.
        guard parts.startChangesIfWanted() else { throw Self.noThread }
        let database = parts.live.database
        database.start()
        let queryCheck = QueryCheckService(live: parts.live, mistakes: parts.mistakes, logger: logger)
        do {
            let mistakes = try await Self.descriptions(by: database).compactMap(\.mistake)
            await parts.changes?.firstAttempt()
            if isStrict {
                do {
                    try Self.refuse(mistakes, settings)
                    try Self.refuse(parts.changes.flatMap { $0.isStarted ? $0.status : nil })
                } catch {
                    await parts.changes?.stop()
                    throw error
                }
            }
            queryCheck.note(mistakes)
        } catch let error as StartupError where error.code == .databaseUnreachable {
            logger.warning(
                "serving without a database for now; it is asked again until it answers",
                metadata: ["reason": "\(error)"])
        }
        await reloader.begin(parts)
        // The first to begin is the last to end: it tells of the others.
        let services: [any Service] =
            admin(parts) + [
                DatabaseService(live: parts.live)
            ] + (parts.changes.map { [ChangeStreamService(changes: $0)] } ?? []) + verifying(parts) + [
                ExpiryService(cache: parts.cache, loop: parts.loops[0]),
                queryCheck, ReloadService(reloader: reloader, hangups: hangups),
                WarmStartService(warmStart: WarmStart(parts.live, logger: logger), live: parts.live),
                ServerService(server: parts.server, live: parts.live, logger: logger, whenReady: whenReady),
            ]
        try await ServiceGroup(
            services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger
        ).run()
    }

    private func admin(_ parts: Wiring) -> [any Service] {
        guard let address = settings.admin.listen else { return [] }
        let pulse = LoopPulse(parts.loops)
        return [
            AdminServer(
                at: address, logger: logger, isStuck: { pulse.isStuck() },
                statistics: { [statistics = parts.statistics] in statistics.statistics() })
        ]
    }

    private func verifying(_ parts: Wiring) -> [any Service] {
        guard let verifier = parts.verifier, let changes = parts.changes else { return [] }
        return [VerifyService(verifier: verifier, live: parts.live, changes: changes)]
    }

    /// Connects to the database once and has it describe every group's query.
    ///
    /// - Returns: What it says of each group, in the settings' order.
    /// - Throws: `StartupError`: the database can't be reached, or it refuses queries.
    @discardableResult
    public static func checkDatabase(_ settings: Settings, logger: Logger) async throws -> [GroupDescription] {
        let getters = Wiring.getters(settings)
        let database = Database(settings: settings.database, loops: [], getters: getters, logger: logger)
        let descriptions = try await descriptions(by: database)
        try refuse(descriptions.compactMap(\.mistake), settings)
        try refuse(await streamStatus(settings))
        return descriptions
    }

    /// How a stream of changes stands after an attempt to have it, which touches no group; nil when there is to be none.
    static func streamStatus(_ settings: Settings) async throws -> StreamStatus? {
        guard settings.invalidation.source != .none, settings.groups.contains(where: { !$0.invalidateOn.isEmpty })
        else {
            return nil
        }
        let changes = ChangeStream(
            settings.invalidation, database: settings.database, map: InvalidationMap([]), loop: try EventLoop(),
            logger: Logger(label: "check") { _ in SwiftLogNoOpLogHandler() })
        guard changes.start() else { throw noThread }
        await changes.firstAttempt()
        let status = changes.status
        await changes.stop()
        return status
    }

    /// - Throws: `StartupError` when changes are to be heard of and are not.
    private static func refuse(_ status: StreamStatus?) throws {
        guard let status, status.state == .suspect else { return }
        throw StartupError(.changesUnheard, "invalidation: nobody tells of changes: \(status.lastLoss ?? "no answer")")
    }

    private static let noThread = StartupError(.systemRefuses, "can't start: the system gives no more threads")

    private static func descriptions(by database: Database) async throws -> [GroupDescription] {
        do {
            return try await database.describe()
        } catch let error as ConnectError {
            throw StartupError(.databaseUnreachable, "the database cannot be reached: \(error)")
        }
    }

    private static func refuse(_ mistakes: [QueryMistake], _ settings: Settings) throws {
        guard mistakes.isEmpty else {
            throw StartupError(.queryRefused, mistakes.map { settings.text(of: $0) }.joined(separator: "\n"))
        }
    }
}
