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
        /// Whether a load succeeded after the last failure.
        var isSettling = false
        /// Whether somebody waits for how it goes on.
        var isWatched = false
    }

    /// A success this soon after a failure says nothing yet: some keys may fail and others not.
    private let settling: Duration

    init(logger: Logger, settling: Duration = .seconds(5)) {
        self.logger = logger
        self.settling = settling
    }

    /// The groups whose loads fail, by name.
    var failingGroups: [String] { state.withLock { $0.failing.keys.sorted() } }
    /// The text of the last failure of a load, whichever the group.
    var lastError: String? { state.withLock { $0.lastError } }

    /// Forgets a group that is there no longer.
    func forget(_ group: String) { state.withLock { $0.failing[group] = nil } }

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
            var failing = state.failing[group] ?? Failing(since: now, last: now)
            failing.last = now
            failing.count += 1
            failing.isSettling = false
            state.failing[group] = failing
            isFailing.isSet = true
            return isFirst
        }
        if isFirst {
            logger.warning("loads fail", metadata: ["group": "\(group)", "error": "\(error.message)"])
        }
        if let detail = error.detail {
            logger.debug("load failed", metadata: ["group": "\(group)", "detail": "\(detail)"])
        }
    }

    private func succeeded(_ group: String, _ isFailing: Flag, at now: Instant) {
        let isFirst = state.withLock { state in
            guard var failing = state.failing[group] else { return false }
            let isFirst = !failing.isWatched
            failing.isSettling = true
            failing.isWatched = true
            state.failing[group] = failing
            return isFirst
        }
        // Not left to the next success: when hits answer everything, there may be none for long.
        if isFirst { Task { await watch(group, isFailing) } }
    }

    /// Waits until a group that failed did not fail for a while, and tells of it.
    private func watch(_ group: String, _ isFailing: Flag) async {
        while let pause = settle(group, isFailing, at: .now()) {
            do { try await Task.sleep(for: pause) } catch { return }
        }
    }

    /// How long it is to be waited yet; nil when it settled, or nothing succeeded since it failed again.
    private func settle(_ group: String, _ isFailing: Flag, at now: Instant) -> Duration? {
        let (ended, pause): (Failing?, Duration?) = state.withLock { state in
            guard let failing = state.failing[group] else { return (nil, nil) }
            guard failing.isSettling else {
                state.failing[group]?.isWatched = false
                return (nil, nil)
            }
            let due = failing.last + settling
            if now < due { return (nil, due - now) }
            state.failing[group] = nil
            isFailing.isSet = false
            return (failing, nil)
        }
        if let ended {
            logger.notice(
                "loads succeed again",
                metadata: [
                    "group": "\(group)", "failures": "\(ended.count)",
                    "seconds": "\((ended.last - ended.since).components.seconds)",
                ])
        }
        return pause
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
