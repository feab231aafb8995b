import CacheCore
import Groundwork
import Logging
import Synchronization

/// Logs when a group's loads begin to fail and when they succeed again, and remembers the last failure.
final class LoadLog: Sendable {
    private let logger: Logger
    private let state = Groundwork.Mutex(State())

    private struct State {
        var failing: [String: Failing] = [:]
        var lastError: String?
    }

    private struct Failing {
        var count = 0
        let since: Instant
        var last: Instant
    }

    /// A success this soon after a failure says nothing yet: some keys may fail and others not.
    static let settling = Duration.seconds(5)

    init(logger: Logger) {
        self.logger = logger
    }

    /// The groups whose loads fail, by name.
    var failingGroups: [String] { state.withLock { $0.failing.keys.sorted() } }
    /// The text of the last failure of a load, whichever the group.
    var lastError: String? { state.withLock { $0.lastError } }

    /// What is to be told of each end of a load of the group.
    func observer(of group: String) -> @Sendable (Outcome) -> Void {
        let isFailing = Flag()
        return { [self] outcome in
            switch outcome {
            case .success:
                // Nearly always there is nothing to note, and then there is no lock to take.
                if isFailing.isSet { succeeded(group, isFailing, at: .now()) }
            case .failure(let error):
                switch error.code {
                // The client's fault, and what never came to the database.
                case .badKey, .abandoned: break
                case .timedOut, .unavailable, .busy, .query: failed(group, error, isFailing, at: .now())
                }
            }
        }
    }

    private func failed(_ group: String, _ error: LoadError, _ isFailing: Flag, at now: Instant) {
        let isFirst = state.withLock { state in
            state.lastError = error.message
            let isFirst = state.failing[group] == nil
            state.failing[group, default: Failing(since: now, last: now)].last = now
            state.failing[group]?.count += 1
            return isFirst
        }
        isFailing.isSet = true
        if isFirst {
            logger.warning("loads fail", metadata: ["group": "\(group)", "error": "\(error.message)"])
        }
        if let detail = error.detail {
            logger.debug("load failed", metadata: ["group": "\(group)", "detail": "\(detail)"])
        }
    }

    private func succeeded(_ group: String, _ isFailing: Flag, at now: Instant) {
        let ended: Failing? = state.withLock { state in
            guard let failing = state.failing[group], now >= failing.last + Self.settling else { return nil }
            state.failing[group] = nil
            return failing
        }
        guard let ended else { return }
        isFailing.isSet = false
        logger.notice(
            "loads succeed again",
            metadata: [
                "group": "\(group)", "failures": "\(ended.count)",
                "seconds": "\((ended.last - ended.since).components.seconds)",
            ])
    }

    /// A flag that closures share.
    private final class Flag: Sendable {
        private let value = Atomic<Bool>(false)
        var isSet: Bool {
            get { value.load(ordering: .relaxed) }
            set { value.store(newValue, ordering: .relaxed) }
        }
    }
}
