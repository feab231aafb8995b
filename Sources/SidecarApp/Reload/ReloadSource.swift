import Logging

/// Where a sidecar's settings are read again, and whom their log level concerns.
public struct ReloadSource: Sendable {
    let read: @Sendable () throws(SettingsError) -> Settings
    let setLogLevel: @Sendable (Logger.Level) -> Void

    /// The settings file at `path`, with `${NAME}` from `environment`; and the log.
    public init(path: String, environment: [String: String], log: LogWriter) {
        read = { () throws(SettingsError) in try Settings.load(from: path, environment: environment) }
        setLogLevel = { log.level = $0 }
    }
}
