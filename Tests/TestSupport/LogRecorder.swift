import Groundwork
package import Logging

/// Keeps what is logged from `level` on.
package final class LogRecorder: LogHandler, Sendable {
    private let kept = Groundwork.Mutex<[String]>([])
    private let level: Logger.Level

    /// A recorder that has kept nothing.
    package init(from level: Logger.Level = .info) { self.level = level }

    /// A logger that writes here.
    package var logger: Logger { Logger(label: "test") { _ in self } }

    /// What was logged, each as `level: message`.
    package var messages: [String] { kept.withLock { $0 } }

    // A value that is shared can't be set; loggers try.
    package var metadata: Logger.Metadata {
        get { [:] }
        set {}
    }
    package var logLevel: Logger.Level {
        get { level }
        set {}
    }

    package subscript(metadataKey _: String) -> Logger.Metadata.Value? {
        get { nil }
        set {}
    }

    package func log(event: LogEvent) {
        kept.withLock { $0.append("\(event.level): \(event.message)") }
    }
}
