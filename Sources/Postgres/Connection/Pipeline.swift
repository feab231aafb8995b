import CacheCore
import DequeModule
import Groundwork

/// What one connection was asked and has not answered yet, and which statements it has prepared: a state machine without
/// I/O. Its owner sends, tells it what came back, and does what it returns.
///
/// What stands between two syncs is a segment. PostgreSQL runs it as one transaction and aborts the rest of it after an
/// error, so the loads behind a refused one were not run; they are sent again, each in a segment of its own.
///
/// A load's answer is complete with its command, not only at the sync. All that can still fail at the segment's end is
/// the commit, and that only undoes what was written: the rows were read, and getters only read.
struct Pipeline: ~Copyable {
    /// One load on its way, or housekeeping, for which nobody waits.
    ///
    /// Not private: Swift 6.3.1's compiler crashes over a container of a private type that cannot be copied, when another
    /// file has a stored property of the outer type.
    struct Sent: ~Copyable {
        var load: Load?
        let at: Instant
        let timeout: Int64
        /// Of the statement that it runs; 0 when it runs none.
        let generation: UInt64
        /// Whether its first result is that of a Parse.
        let prepares: Bool
        /// The number of its segment.
        let segment: UInt64
    }

    /// One getter's prepared statement on this connection.
    private struct Prepared {
        var generation: UInt64 = 0
        var isCurrent = false
    }

    /// What follows from the end of an answer.
    enum Completion: ~Copyable {
        /// Hand the outcome to those who wait.
        case end(Load, Outcome)
        /// Hand the error to those who wait, be it for a load or for a batch.
        case fail(Load, LoadError)
        /// Hand each load of a batch its outcome, in their order; what has none is to be asked for by itself.
        case endBatch(Load, [Outcome?])
        /// Ask for each load of a batch by itself.
        case split(Load)
        /// Send the load once more.
        case retry(Load)
        /// The columns of its result changed: let the group forget what it holds, drop the statement, then send the load
        /// once more.
        case retryAfterSchemaChange(Load, stale: String)
        /// The answer is not complete, or nobody waits for it.
        case nothing
    }

    private var sent = UniqueDeque<Sent>()
    private var prepared: [Prepared]
    /// By getter, how many of its queries are due.
    private(set) var counts: [Int]
    /// Whether the oldest one's Parse was done.
    private var isParsed = false
    /// Whether something of the oldest segment was refused, so that the rest of it is not run.
    private var isAborting = false
    /// The oldest segment whose sync has not come back.
    private var oldestSegment: UInt64 = 0
    /// The segment that is being filled: its sync was not sent.
    private var openSegment: UInt64 = 0
    /// What was sent in the open segment.
    private(set) var openCount = 0
    /// When the oldest one became the oldest.
    private var progressAt = Instant(nanoseconds: 0)

    init(getterCount: Int) {
        prepared = Array(repeating: Prepared(), count: 2 * getterCount)
        counts = Array(repeating: 0, count: getterCount)
    }

    /// The number of answers that are due.
    var depth: Int { sent.count }

    /// Whether the server has something to say that was not received.
    var isExpecting: Bool { oldestSegment < openSegment || openCount > 0 }

    // MARK: Sending

    /// Whether the statement at `place` is prepared here.
    func hasStatement(at place: Int) -> Bool { prepared[place].isCurrent }

    /// Which statement runs a getter's SQL, and whether it has to be prepared in front.
    mutating func statement(of load: borrowing Load) -> (name: String, needsPrepare: Bool) {
        let place = load.statementPlace
        let needsPrepare = !prepared[place].isCurrent
        if needsPrepare {
            prepared[place].generation += 1
            prepared[place].isCurrent = true
        }
        return (load.statement.name(generation: prepared[place].generation), needsPrepare)
    }

    /// Notes that a load was sent in the open segment.
    mutating func append(_ load: consuming Load, runsStatement: Bool, prepares: Bool, at now: Instant) {
        let generation = runsStatement ? prepared[load.statementPlace].generation : 0
        let timeout = load.timeout
        counts[load.place] += 1
        append(load, timeout: timeout, generation: generation, prepares: prepares, at: now)
    }

    /// Notes that a statement was sent, in the open segment, for whose answer nobody waits.
    mutating func appendHousekeeping(timeout: Duration, at now: Instant) {
        append(nil, timeout: timeout.wholeNanoseconds, generation: 0, prepares: false, at: now)
    }

    private mutating func append(
        _ load: consuming Load?, timeout: Int64, generation: UInt64, prepares: Bool, at now: Instant
    ) {
        if sent.isEmpty { progressAt = now }
        openCount += 1
        sent.append(
            Sent(
                load: load, at: now, timeout: timeout, generation: generation, prepares: prepares,
                segment: openSegment))
    }

    /// Notes that the open segment's sync was sent.
    mutating func closeSegment() {
        openSegment += 1
        openCount = 0
    }

    // MARK: Receiving

    /// Whether there is somebody whose answer this can be.
    private var isAnswerDue: Bool { !isAborting && !sent.isEmpty && sent[0].segment == oldestSegment }

    /// Rows came for the oldest one.
    mutating func receiveRows(_ result: borrowing PQResult, at now: Instant) -> Completion {
        guard isAnswerDue, let load = takeOldestLoad(at: now) else { return .nothing }
        load.getter.setDegraded(false)
        if let batch = load.batch {
            let outcomes = load.getter.outcomes(ofBatch: result, count: batch.count)
            return .endBatch(load, outcomes)
        }
        let outcome = load.getter.outcome(of: result)
        return .end(load, outcome)
    }

    /// A command without rows was done for the oldest one.
    mutating func receiveDone(at now: Instant) -> Completion {
        guard isAnswerDue else { return .nothing }
        if sent[0].prepares, !isParsed {
            isParsed = true
            return .nothing
        }
        guard let load = takeOldestLoad(at: now) else { return .nothing }
        let error = LoadError(.query, "\(load.getter.name): the query gives no rows")
        return .fail(load, error)
    }

    /// The oldest one was refused, and the rest of its segment will not be run. (A refusal after the segment's last answer
    /// is that of the commit, and concerns nobody.)
    mutating func receiveError(_ error: ServerError, at now: Instant) -> Completion {
        guard isAnswerDue else { return .nothing }
        let isByParse = sent[0].prepares && !isParsed
        isAborting = true
        var refusedOne = takeOldest(at: now)
        guard let load = refusedOne.load.take() else { return .nothing }
        return refused(load, error, generation: refusedOne.generation, byParse: isByParse)
    }

    /// The oldest segment is at its end. Returns those of its loads that were not run, oldest first: they are to be sent
    /// again.
    mutating func receiveSync(at now: Instant) -> UniqueDeque<Load> {
        var unrun = UniqueDeque<Load>()
        while !sent.isEmpty, sent[0].segment == oldestSegment {
            var skipped = takeOldest(at: now)
            guard var load = skipped.load.take() else { continue }
            // Its Parse was skipped, too.
            if skipped.prepares, prepared[load.statementPlace].generation == skipped.generation {
                prepared[load.statementPlace].isCurrent = false
            }
            // One that was alone and has no answer is dropped, which fails it: the server skipped it for no reason.
            if load.isAlone { continue }
            load.isAlone = true
            unrun.append(load)
        }
        oldestSegment += 1
        isAborting = false
        return unrun
    }

    private mutating func takeOldestLoad(at now: Instant) -> Load? {
        var oldest = takeOldest(at: now)
        return oldest.load.take()
    }

    private mutating func takeOldest(at now: Instant) -> Sent {
        isParsed = false
        progressAt = now
        if let place = sent[0].load?.place { counts[place] -= 1 }
        return sent.removeFirst()
    }

    /// A statement that the connection does not have, has under another meaning, or has with other columns, is prepared
    /// anew under its next name. Loads that were sent behind it before the first refusal was read meet the same and find
    /// the next generation already there.
    private mutating func refused(
        _ load: consuming Load, _ error: ServerError, generation: UInt64, byParse: Bool
    ) -> Completion {
        let place = load.statementPlace
        if error.isSchemaMismatch { load.getter.setDegraded(true) }
        let changed = error.isResultTypeChange && !byParse
        let isStale =
            changed || error.state == .invalidStatementName || error.state == .duplicatePreparedStatement
        let isOwnStatement = generation != 0 && prepared[place].generation == generation
        if isOwnStatement, isStale || byParse { prepared[place].isCurrent = false }
        guard generation != 0, isStale, !load.isRetry else {
            if load.batch != nil, error.mayConcernOneKey { return .split(load) }
            let failure = error.loadError(for: load.getter)
            return .fail(load, failure)
        }
        load.isRetry = true
        guard changed, isOwnStatement else { return .retry(load) }
        let stale = load.statement.name(generation: generation)
        return .retryAfterSchemaChange(load, stale: stale)
    }

    // MARK: Time and loss

    /// Since when the oldest load has waited without any answer; nil when none is due.
    var waitsSince: Instant? { sent.isEmpty ? nil : max(sent[0].at, progressAt) }

    /// When the database is to be taken as hung: the oldest one has had its time since it became the oldest.
    var deadline: Instant? {
        guard !sent.isEmpty else { return nil }
        return max(sent[0].at, progressAt).advanced(byNanoseconds: sent[0].timeout)
    }

    /// Takes out every load, oldest first; nothing of them was answered in full.
    mutating func takeLoads() -> UniqueDeque<Load> {
        var loads = UniqueDeque<Load>()
        while var lost = sent.popFirst() {
            if let load = lost.load.take() { loads.append(load) }
        }
        for place in counts.indices { counts[place] = 0 }
        return loads
    }
}
