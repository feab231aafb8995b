import Groundwork
import Postgres

/// How a stream of changes comes, is lost and comes back: a state machine without I/O or clock. Each transition returns what
/// is to be done, in order.
///
/// A stream is trusted from the moment when it has shown that it hears what is said, and only until its connection is lost
/// or keeps silent when it is asked. Nobody knows what was said while it was not trusted.
struct StreamState {
    /// What is to be done.
    enum Action: Equatable {
        /// Make a connection; ``opened(at:)`` or ``lost(_:at:)`` has to follow.
        case connect
        /// Close the connection.
        case close
        /// Ask the connection for a sign of life; ``beatAnswered(at:)`` has to follow.
        case beat
        /// What the stream says is all there is, from now on.
        case trust
        /// Nobody says what changes, from now on. Also told of an attempt that failed.
        case distrust(String)
    }

    private enum Phase {
        /// Not begun. Can transition to: connecting, ended.
        case idle
        /// A connection is being made. Can transition to: proving, pausing, ended.
        case connecting
        /// It is there, and has until then to show that it hears what is said. Can transition to: live, pausing, ended.
        case proving(until: Instant)
        /// What it tells is all there is. Can transition to: pausing, ended.
        case live(since: Instant, Beat)
        /// Can transition to: connecting, ended.
        case pausing(until: Instant)
        /// Can't transition.
        case ended
    }

    private enum Beat {
        /// The next question is due then. Becomes sent.
        case due(at: Instant)
        /// Without any sign of life until then the stream is lost. Becomes due.
        case sent(until: Instant)
    }

    /// A stream that lasted less than this counts as a failed attempt, so that one that is lost as soon as it comes does
    /// not flush over and over.
    static let shortLife = Duration.seconds(10)

    private let heartbeat: Duration
    /// How long a sign of life may take: a busy machine is no loss.
    private let patience: Duration
    private let unproven: String
    private var phase = Phase.idle
    private var failuresInARow = 0
    private var backoff: Backoff

    /// - Parameters:
    ///   - heartbeat: How often the connection is asked for a sign of life, and how long that may take, which is a second at least.
    ///   - unproven: Why it may be that a connection does not hear what is said, and what to do then.
    ///   - seed: For the jitter of pauses.
    init(heartbeat: Duration, unproven: String, seed: UInt64) {
        self.heartbeat = heartbeat
        patience = max(heartbeat, .seconds(1))
        self.unproven = unproven
        backoff = Backoff(seed: seed)
    }

    /// Whether what the stream tells is all there is.
    var isTrusted: Bool {
        switch phase {
        case .live: true
        case .idle, .connecting, .proving, .pausing, .ended: false
        }
    }

    /// Whether an attempt is under way.
    var isBeginning: Bool {
        switch phase {
        case .connecting, .proving: true
        case .idle, .live, .pausing, .ended: false
        }
    }

    /// When to call ``timeCame(at:)``; nil: an event comes first.
    var nextLook: Instant? {
        switch phase {
        case .proving(let until), .live(_, .due(let until)), .live(_, .sent(let until)), .pausing(let until): until
        case .idle, .connecting, .ended: nil
        }
    }

    mutating func start() -> [Action] {
        switch phase {
        case .idle:
            phase = .connecting
            return [.connect]
        case .connecting, .proving, .live, .pausing, .ended: return []
        }
    }

    /// The connection is there, and subscribed.
    mutating func opened(at now: Instant) -> [Action] {
        switch phase {
        case .connecting:
            phase = .proving(until: now + patience)
            return []
        case .idle, .proving, .live, .pausing: return []
        // Too late.
        case .ended: return [.close]
        }
    }

    /// The connection has shown that it hears what is said.
    mutating func proven(at now: Instant) -> [Action] {
        switch phase {
        case .proving:
            phase = .live(since: now, .sent(until: now + patience))
            return [.trust, .beat]
        case .idle, .connecting, .live, .pausing, .ended: return []
        }
    }

    /// Something came over the connection.
    mutating func heard(at now: Instant) {
        guard case .live(let since, .sent) = phase else { return }
        // The answer comes after all that was said before, which may be much.
        phase = .live(since: since, .sent(until: now + patience))
    }

    /// What ``Action/beat`` asked for came.
    mutating func beatAnswered(at now: Instant) {
        guard case .live(let since, .sent) = phase else { return }
        phase = .live(since: since, .due(at: now + heartbeat))
    }

    /// The connection, or the attempt to make one, is lost.
    mutating func lost(_ reason: String, at now: Instant) -> [Action] {
        switch phase {
        case .connecting, .proving: failuresInARow += 1
        case .live(let since, _): failuresInARow = now - since < Self.shortLife ? failuresInARow + 1 : 0
        case .idle, .pausing, .ended: return []
        }
        phase = .pausing(until: now + backoff.delay(afterFailures: failuresInARow))
        return [.close, .distrust(reason)]
    }

    /// What is due at ``nextLook``.
    mutating func timeCame(at now: Instant) -> [Action] {
        guard let due = nextLook, due <= now else { return [] }
        switch phase {
        case .proving: return lost(unproven, at: now)
        case .live(_, .sent):
            return lost("the server said nothing for \(patience), although it was asked to", at: now)
        case .live(let since, .due):
            phase = .live(since: since, .sent(until: now + patience))
            return [.beat]
        case .pausing:
            phase = .connecting
            return [.connect]
        case .idle, .connecting, .ended: return []
        }
    }

    mutating func end() -> [Action] {
        defer { phase = .ended }
        switch phase {
        case .proving, .live: return [.close]
        case .idle, .connecting, .pausing, .ended: return []
        }
    }
}
