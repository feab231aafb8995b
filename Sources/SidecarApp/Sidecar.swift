public import Logging

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

    /// Serves until SIGTERM or SIGINT, then drains.
    ///
    /// - Parameter whenReady: Called once, when clients can connect.
    /// - Throws: `StartupError`.
    public func run(whenReady: @escaping @Sendable () -> Void = {}) async throws {
        throw StartupError(.notWired, "this build has no services yet: loops, pools and groups are not wired together")
    }

    /// Connects to the database once and has it describe every group's query.
    ///
    /// - Throws: `StartupError`: the database can't be reached, or it refuses queries.
    public static func checkDatabase(_ settings: Settings, logger: Logger) async throws {
        throw StartupError(.notWired, "this build can't ask the database yet")
    }
}
