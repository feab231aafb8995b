package import Groundwork
import Synchronization

/// Stops asking a source that does not answer: after some failures in a row it opens, from time to time lets one load
/// through as a probe, and closes as soon as the source answers anything. The groups of one source share one.
///
/// A source that is slow, refuses, or cancels a query *does* answer. What counts against it is silence: a connection that
/// can't be made, one that was given up because nothing came back, a load that a getter ends as
/// ``LoadError/Code/unavailable``. A load that passed its deadline says nothing, as it may have waited for another one.
///
/// (M. Nygard, "Release It!", 2007.) Any thread.
public final class CircuitBreaker: Sendable {
    /// Its state.
    public enum State: Sendable, Equatable {
        /// Loads pass. Becomes `open`.
        case closed
        /// Loads fail at once. Becomes `probing`, or `closed`.
        case open
        /// One load is on its way, the others fail at once. Becomes `closed` or `open`.
        case probing
    }

    /// Who knows whether the source answers.
    public enum Evidence: Sendable {
        /// How loads end: for getters that know nothing of connections.
        case outcomes
        /// What ``sourceAnswered()`` and ``sourceWasSilent(for:)`` are told: for a getter that holds connections, of
        /// which one that is lost can fail many loads. That a load brought a value counts as well.
        case reports
    }

    private enum Circuit {
        case closed(failures: Int)
        case open(until: Instant, pause: Duration)
        case probing(since: Instant, pause: Duration)

        var isClosed: Bool {
            switch self {
            case .closed: true
            case .open, .probing: false
            }
        }

        var isCalm: Bool {
            switch self {
            case .closed(let failures): failures == 0
            case .open: false
            case .probing: false
            }
        }
    }

    private let circuit = Groundwork.Mutex<Circuit>(.closed(failures: 0))
    /// Whether it is closed and nothing failed since the last answer: then there is nothing to decide, and no lock to take.
    private let isCalm = Atomic<Bool>(true)
    /// When the source answered last, in nanoseconds; to ``answerStep``.
    private let lastAnswer = Atomic<Int64>(.min)
    private let onChange: @Sendable (State) -> Void
    private let evidence: Evidence
    private let threshold: Int
    private let firstPause: Duration
    private let longestPause: Duration

    /// Answers that follow one another in less time are noted once: so loops that get thousands a second seldom write to
    /// what all of them read.
    private static let answerStep: Int64 = 10_000_000

    /// Opens after `threshold` failures in a row, for `firstPause`, and each time a probe fails for twice as long as
    /// before, up to `longestPause`. `onChange` is told when it opens and when it closes again, outside the lock.
    public init(
        evidence: Evidence = .outcomes, threshold: Int = 10, firstPause: Duration = .milliseconds(250),
        longestPause: Duration = .seconds(5), onChange: @escaping @Sendable (State) -> Void = { _ in }
    ) {
        self.onChange = onChange
        self.evidence = evidence
        self.threshold = max(1, threshold)
        self.firstPause = firstPause
        self.longestPause = longestPause
    }

    /// Its state now.
    public var state: State {
        circuit.withLock { circuit in
            switch circuit {
            case .closed: .closed
            case .open: .open
            case .probing: .probing
            }
        }
    }

    // MARK: What the source's driver reports

    /// The source answered: with a value, a refusal, a cancellation, or by taking a new connection. Closes the circuit. Cheap
    /// enough for each answer. (Here, too, time is the system's monotonic clock, as in caches that are given no other.)
    public func sourceAnswered() {
        sourceAnswered(at: .now())
    }

    /// The source was asked and gave no sign for `duration`, when the driver gave up: it could not connect, or closed a
    /// connection that answered nothing, not even a cancellation. To be called once for each connection, however many loads
    /// were on it. An answer on any other connection meanwhile refutes it.
    public func sourceWasSilent(for duration: Duration) {
        let now = Instant.now()
        sourceWasSilent(since: now.advanced(byNanoseconds: -max(0, duration.wholeNanoseconds)), at: now)
    }

    /// The source answered at `now`: with a value, a refusal, a cancellation, or by taking a new connection. Closes the
    /// circuit. Cheap enough for each answer.
    package func sourceAnswered(at now: Instant) {
        let last = lastAnswer.load(ordering: .relaxed)
        if last == .min || now.nanoseconds - last >= Self.answerStep {
            lastAnswer.store(now.nanoseconds, ordering: .relaxed)
        }
        if isCalm.load(ordering: .relaxed) { return }
        change { $0 = .closed(failures: 0) }
    }

    /// The source was asked at `asked` and gave no sign until `now`, when the driver gave up: it could not connect, or
    /// closed a connection that answered nothing, not even a cancellation. To be called once for each connection, however
    /// many loads were on it. An answer on any other connection since `asked` refutes it.
    package func sourceWasSilent(since asked: Instant, at now: Instant) {
        guard lastAnswer.load(ordering: .relaxed) <= asked.nanoseconds else { return }
        fail(askedAt: asked, at: now)
    }

    // MARK: What groups ask and tell

    /// Whether a load may start at `now`. Each load that was admitted is to be reported to
    /// ``record(_:startedAt:at:)``.
    package func admits(at now: Instant) -> Bool {
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
    package func record(_ outcome: Outcome, startedAt started: Instant, at now: Instant) {
        switch Verdict(outcome, evidence) {
        case .answered: sourceAnswered(at: now)
        case .silent: fail(askedAt: started, at: now)
        case .unknown: endProbe(startedAt: started, at: now)
        }
    }

    private func fail(askedAt asked: Instant, at now: Instant) {
        change { circuit in
            switch circuit {
            case .closed(let failures):
                circuit =
                    failures + 1 < threshold
                    ? .closed(failures: failures + 1) : .open(until: now + firstPause, pause: firstPause)
            // What began before the probe says nothing new, and must not make room for a second probe beside it.
            case .probing(let since, _) where asked < since: break
            case .probing(_, let pause):
                let longer = min(pause * 2, longestPause)
                circuit = .open(until: now + longer, pause: longer)
            case .open: break
            }
        }
    }

    /// A load ended that tells nothing of the source. If it was the probe, it was dropped before it was sent, or waited for
    /// another: the next load is one.
    private func endProbe(startedAt started: Instant, at now: Instant) {
        if isCalm.load(ordering: .relaxed) { return }
        change { circuit in
            switch circuit {
            case .probing(let since, let pause) where started >= since: circuit = .open(until: now, pause: pause)
            case .probing, .open, .closed: break
            }
        }
    }

    private func change(_ body: (inout Circuit) -> Void) {
        let changed: State? = circuit.withLock { circuit in
            let wasClosed = circuit.isClosed
            body(&circuit)
            isCalm.store(circuit.isCalm, ordering: .relaxed)
            return circuit.isClosed == wasClosed ? nil : wasClosed ? .open : .closed
        }
        if let changed { onChange(changed) }
    }

    /// What an outcome says about the source.
    private enum Verdict {
        case answered
        case silent
        case unknown

        init(_ outcome: Outcome, _ evidence: Evidence) {
            switch (outcome, evidence) {
            case (.success, _): self = .answered
            case (.failure, .reports): self = .unknown
            case (.failure(let error), .outcomes):
                switch error.code {
                case .unavailable: self = .silent
                // The source answered, if only to refuse.
                case .query: self = .answered
                // A key can be refused without asking the source; a load can run late because it waited for its turn.
                case .badKey, .timedOut, .busy, .abandoned: self = .unknown
                }
            }
        }
    }
}
