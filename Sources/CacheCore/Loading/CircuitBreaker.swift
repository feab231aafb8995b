import Groundwork
import Synchronization

/// Stops asking a source that does not answer: after some failures in a row it opens, from time to time lets one load
/// through as a probe, and closes when a load succeeds. The groups of one source share one.
///
/// (M. Nygard, "Release It!", 2007.) Any thread.
public final class CircuitBreaker: Sendable {
    /// Where it stands.
    public enum State: Sendable, Equatable {
        /// Loads pass. Becomes `open`.
        case closed
        /// Loads fail at once. Becomes `probing`.
        case open
        /// One load is on its way, the others fail at once. Becomes `closed` or `open`.
        case probing
    }

    private enum Circuit {
        case closed(failures: Int)
        case open(until: Instant, pause: Duration)
        case probing(since: Instant, pause: Duration)

        var isCalm: Bool {
            switch self {
            case .closed(let failures): failures == 0
            case .open: false
            case .probing: false
            }
        }
    }

    private let circuit = Groundwork.Mutex<Circuit>(.closed(failures: 0))
    /// Whether it is closed and the last load succeeded: then there is nothing to decide or to note, and no lock to take.
    private let isCalm = Atomic<Bool>(true)
    private let threshold: Int
    private let firstPause: Duration
    private let longestPause: Duration

    /// Opens after `threshold` failures in a row, for `firstPause`, and each time a probe fails for twice as long as
    /// before, up to `longestPause`.
    public init(threshold: Int = 10, firstPause: Duration = .milliseconds(250), longestPause: Duration = .seconds(5)) {
        self.threshold = max(1, threshold)
        self.firstPause = firstPause
        self.longestPause = longestPause
    }

    /// Where it stands now.
    public var state: State {
        circuit.withLock { circuit in
            switch circuit {
            case .closed: .closed
            case .open: .open
            case .probing: .probing
            }
        }
    }

    /// Whether a load may start at `now`. Each load that was admitted is to be reported to
    /// ``record(_:startedAt:at:)``.
    func admits(at now: Instant) -> Bool {
        if isCalm.load(ordering: .relaxed) { return true }
        return circuit.withLock { circuit in
            switch circuit {
            case .closed: return true
            case .open(let until, let pause):
                guard now >= until else { return false }
                circuit = .probing(since: now, pause: pause)
                return true
            case .probing(let since, let pause):
                // A probe that never reports must not keep the circuit open for ever.
                guard now >= since + longestPause + pause else { return false }
                circuit = .probing(since: now, pause: pause)
                return true
            }
        }
    }

    /// Notes how a load ended that was admitted at `started`.
    func record(_ outcome: Outcome, startedAt started: Instant, at now: Instant) {
        let verdict = Verdict(outcome)
        if verdict == .works, isCalm.load(ordering: .relaxed) { return }
        circuit.withLock { circuit in
            defer { isCalm.store(circuit.isCalm, ordering: .relaxed) }
            switch (circuit, verdict) {
            case (_, .works): circuit = .closed(failures: 0)
            case (.closed(let failures), .fails):
                circuit =
                    failures + 1 < threshold
                    ? .closed(failures: failures + 1) : .open(until: now + firstPause, pause: firstPause)
            // Loads from before the probe say nothing new, and must not make room for a second probe beside it.
            case (.probing(let since, _), _) where started < since: break
            case (.probing(_, let pause), .fails):
                let longer = min(pause * 2, longestPause)
                circuit = .open(until: now + longer, pause: longer)
            // The probe was dropped before it was sent: the next load is one.
            case (.probing(_, let pause), .unknown): circuit = .open(until: now, pause: pause)
            case (.open, .fails), (.open, .unknown), (.closed, .unknown): break
            }
        }
    }

    /// What an outcome says about the source.
    private enum Verdict {
        case works
        case fails
        case unknown

        init(_ outcome: Outcome) {
            switch outcome {
            case .success: self = .works
            case .failure(let error):
                switch error.code {
                case .timedOut, .unavailable: self = .fails
                // The source answered, if only to refuse.
                case .badKey, .query: self = .works
                case .busy, .abandoned: self = .unknown
                }
            }
        }
    }
}
