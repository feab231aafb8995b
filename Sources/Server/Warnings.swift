import Groundwork
import Logging

/// Logs what clients can bring about, at most one a second: those between are counted.
final class Warnings: Sendable {
    private let logger: Logger
    private let state = Groundwork.Mutex(State())

    private struct State: Sendable {
        var last: Instant?
        var untold = 0
    }

    init(_ logger: Logger) {
        self.logger = logger
    }

    /// Logs a warning, unless there was one within the last second.
    func warn(_ text: @autoclosure () -> String) {
        let now = Instant.now()
        let untold: Int? = state.withLock { state in
            if let last = state.last, now - last < .seconds(1) {
                state.untold += 1
                return nil
            }
            defer { state.untold = 0 }
            state.last = now
            return state.untold
        }
        guard let untold else { return }
        logger.warning("\(text())\(untold > 0 ? "; \(untold) more like it before" : "")")
    }
}
