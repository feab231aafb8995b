import DequeModule
public import Postgres

/// Holds what transactions did until new queries of the loads' server see it: a state machine without I/O or clock.
///
/// The log can be ahead of what queries see: a commit is in the log before it is visible, for an instant always, and for as
/// long as it takes while it waits for a synchronous standby. An entry that was dropped when the change arrived could be
/// loaded again with the old value, for good. So a transaction is held until the server's own word says that it is seen,
/// which holds for each query from then on. Until then the old value is what PostgreSQL itself answers.
///
/// One question is asked at a time, for all that is held. What is seen is released in the order of commits, and nothing that
/// is seen waits for what is not.
public struct VisibilityGate<Content> {
    /// What the loads' server said of what its queries see.
    public enum Sight: Sendable {
        /// A primary: which transactions have ended.
        case snapshot(Snapshot)
        /// A standby: up to where it has replayed the log. Its snapshots do not name the transactions that run.
        case replayed(LogPosition)
    }

    /// What is to be done.
    public enum Action: Equatable, Sendable {
        case nothing
        /// Ask the server, and call ``answered(_:)``.
        case ask
        /// Call ``pauseEnded()`` after this time.
        case pause(Duration)
    }

    private enum State: Equatable {
        /// Nothing is held; becomes `asking`.
        case idle
        /// The server is being asked about so many of those held, the oldest; becomes `idle`, `pausing` or `asking`.
        case asking(about: Int)
        /// It did not see all; becomes `asking`.
        case pausing
    }

    private struct Held {
        /// Nil where only the position counts.
        var transaction: UInt32?
        /// Where its commit begins: all before it is done with when nothing older is held.
        var begin: LogPosition
        /// A standby that replayed up to here shows it.
        var end: LogPosition
        var content: Content
    }

    /// Between two questions while something is not seen: short at first, as a commit becomes visible in microseconds, and
    /// never longer than what a released commit may take to be noticed.
    static var pauses: (first: Duration, longest: Duration) { (.microseconds(500), .milliseconds(10)) }

    private var state = State.idle
    private var held: Deque<Held> = []
    private var pause = Self.pauses.first
    private var received = LogPosition.none

    /// All that was committed up to here was released.
    public private(set) var released = LogPosition.none
    /// How many transactions are held.
    public var count: Int { held.count }

    /// An empty gate.
    public init() {}

    /// Begins a stream from `start`: what committed before it is not told by the stream, and need not be visible yet. So
    /// `everything` is held for each transaction that runs, and released as each ends. For a standby it is held until it
    /// replayed up to where the stream starts.
    ///
    /// - Parameter running: The transactions that run on a primary, by the lower halves of their numbers, as they were found
    ///   after `start`. A snapshot's own list does not do: the newest are in none.
    public mutating func begin(
        at start: LogPosition, seeing sight: Sight, running: Set<UInt32>, everything: Content
    ) -> Action {
        self = VisibilityGate()
        received = start
        switch sight {
        case .snapshot(let snapshot):
            let listed = snapshot.running.map { UInt32(truncatingIfNeeded: $0) }
            for transaction in running.union(listed).sorted() {
                held.append(Held(transaction: transaction, begin: start, end: start, content: everything))
            }
        case .replayed(let position):
            if position < start {
                held.append(Held(transaction: nil, begin: start, end: start, content: everything))
            }
        }
        noteProgress()
        return next()
    }

    /// Holds what a committed transaction did.
    ///
    /// - Parameters:
    ///   - transaction: Its number's lower half.
    ///   - begin: Where its commit begins in the log.
    ///   - end: Where its commit ends.
    public mutating func hold(
        _ transaction: UInt32, from begin: LogPosition, to end: LogPosition, _ content: Content
    ) -> Action {
        held.append(Held(transaction: transaction, begin: begin, end: end, content: content))
        received = max(received, end)
        pause = Self.pauses.first
        noteProgress()
        return next()
    }

    /// All that was committed up to `position` was received.
    public mutating func receivedAll(upTo position: LogPosition) {
        received = max(received, position)
        noteProgress()
    }

    /// The pause is over.
    public mutating func pauseEnded() -> Action {
        // A pause may have been cut short by a transaction that came.
        guard state == .pausing else { return .nothing }
        return next()
    }

    /// The server answered: `body` gets what it sees now, in the order of commits.
    public mutating func answered(_ sight: Sight, release body: (Content) -> Void) -> Action {
        guard case .asking(let asked) = state else { return .nothing }
        let cameSince = held.count > asked
        var kept: Deque<Held> = []
        while let first = held.popFirst() {
            if Self.isSeen(first, by: sight) { body(first.content) } else { kept.append(first) }
        }
        held = kept
        noteProgress()
        if held.isEmpty {
            state = .idle
            pause = Self.pauses.first
            return .nothing
        }
        if cameSince {
            state = .idle
            return next()
        }
        state = .pausing
        defer { pause = min(Self.pauses.longest, pause * 2) }
        return .pause(pause)
    }

    private mutating func next() -> Action {
        if case .asking = state { return .nothing }
        guard !held.isEmpty else { return .nothing }
        state = .asking(about: held.count)
        return .ask
    }

    private mutating func noteProgress() {
        released = max(released, held.first?.begin ?? received)
    }

    private static func isSeen(_ held: Held, by sight: Sight) -> Bool {
        switch sight {
        case .snapshot(let snapshot): held.transaction.map(snapshot.sees) ?? true
        case .replayed(let position): position >= held.end
        }
    }
}
