import Groundwork

/// How often settings were read anew, and how that went.
final class ReloadLog: Sendable {
    private struct State {
        var done = 0
        var failed = 0
        var last: Instant?
        var lastError: String?
        var waitsForRestart: [String] = []
    }

    private let state = Groundwork.Mutex(State())

    func succeeded(waitingForRestart paths: [String]) {
        state.withLock { state in
            state.done += 1
            state.last = .now()
            state.lastError = nil
            state.waitsForRestart = paths
        }
    }

    func failed(_ error: String) {
        state.withLock { state in
            state.failed += 1
            state.lastError = error
        }
    }

    /// The `settings` section of `INFO`.
    var lines: [(name: String, value: String)] {
        let state = state.withLock { $0 }
        return [
            ("settings_reloads", "\(state.done)"), ("settings_reloads_failed", "\(state.failed)"),
            (
                "settings_last_reload_seconds",
                state.last.map { "\((Instant.now() - $0).components.seconds)" } ?? ""
            ),
            ("settings_last_reload_error", state.lastError ?? ""),
            ("settings_waiting_for_restart", state.waitsForRestart.joined(separator: ",")),
        ]
    }
}
