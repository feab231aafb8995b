import CacheCore
import DequeModule
import Groundwork

/// What one connection was asked and has not answered yet, and which statements it has prepared: a state machine without
/// I/O. Its owner sends, tells it what came back, and does what it returns.
///
/// What stands between two syncs is a segment. PostgreSQL runs it as one transaction and aborts the rest of it after an
/// error, so the loads behind a refused one were not run; they are sent again, each in a segment of its own. A segment is
/// sent in one go: nothing is received, and nothing can join it, between its first load and its sync.
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
        /// The statement's index; nil for housekeeping.
        let statement: Int?
        /// Of the statement that it runs; 0 when it runs none.
        let generation: UInt64
        /// Whether nobody knows how long it takes.
        let isUnknown: Bool
        /// Whether its first result is that of a Parse.
        let prepares: Bool
        /// The number of its segment.
        let segment: UInt64

        /// Whose query it is; nil: nobody's, being housekeeping, or because its load was taken back.
        var getter: Int? { load == nil ? nil : statement.map(Load.getter(ofStatement:)) }
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
        /// Hand the error to those who wait, for a load or for a batch.
        case fail(Load, LoadError)
        /// Hand each load of a batch its outcome, in their order; what has none is to be asked for by itself.
        case endBatch(Load, [Outcome?])
        /// Ask for each load of a batch by itself.
        case split(Load)
        /// Send the load once more.
        case retry(Load)
        /// The server lost the statement: send the load once more, as SQL.
        case retryUnprepared(Load)
        /// The columns of its result changed: let the group forget what it holds, drop the statement, then send the load
        /// once more.
        case retryAfterSchemaChange(Load, stale: String)
        /// The answer is not complete, or nobody waits for it.
        case nothing
    }

    private var sent = UniqueDeque<Sent>()
    private var prepared: [Prepared]
    /// How the connection is occupied by them.
    private(set) var lane: Lane
    /// By statement.
    private let paces: [Pace]
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
    /// How many answers were complete so far.
    private(set) var answered: UInt64 = 0
    private var cancellation = Cancellation.none

    /// What was cancelled: the server may take a while to do so.
    private enum Cancellation {
        /// Becomes `requested`.
        case none
        /// The answer of this number is to be that of a cancelled query. Becomes `done`.
        case requested(UInt64)
        /// Nothing that is sent from now on can be hit; an answer below `barrier` can have been. Becomes `requested`.
        case done(UInt64, barrier: UInt64)
    }

    init(paces: [Pace], roundTrip: Int64) {
        prepared = Array(repeating: Prepared(), count: paces.count)
        lane = Lane(getterCount: paces.count / 2, roundTrip: roundTrip)
        self.paces = paces
    }

    /// Whether nothing new is to be sent here, since the connection is to be closed.
    var isRetiring: Bool {
        get { lane.isRetiring }
        set { lane.isRetiring = newValue }
    }

    /// Whether the connection is kept for a query of unknown length.
    var isKeptFree: Bool {
        get { lane.isKeptFree }
        set { lane.isKeptFree = newValue }
    }

    /// Whether the server owes something that was not received yet.
    var isExpecting: Bool { oldestSegment < openSegment || openCount > 0 }

    // MARK: Sending

    /// Which statement runs a getter's SQL, and whether it has to be prepared first.
    mutating func statement(of load: borrowing Load) -> (name: String, needsPrepare: Bool) {
        let statement = load.statementIndex
        let needsPrepare = !prepared[statement].isCurrent
        if needsPrepare {
            prepared[statement].generation += 1
            prepared[statement].isCurrent = true
        }
        return (load.statement.name(generation: prepared[statement].generation), needsPrepare)
    }

    /// Notes that a load was sent in the open segment.
    mutating func append(
        _ load: consuming Load, runsStatement: Bool, prepares: Bool, isUnknown: Bool, at now: Instant
    ) {
        let generation = runsStatement ? prepared[load.statementIndex].generation : 0
        let timeout = load.timeout
        let statement = load.statementIndex
        append(
            load, timeout: timeout, statement: statement, generation: generation, prepares: prepares,
            isUnknown: isUnknown,
            at: now)
    }

    /// Notes that a statement was sent, in the open segment, for whose answer nobody waits.
    mutating func appendHousekeeping(timeout: Duration, at now: Instant) {
        append(
            nil, timeout: timeout.wholeNanoseconds, statement: nil, generation: 0, prepares: false, isUnknown: false,
            at: now)
    }

    private mutating func append(
        _ load: consuming Load?, timeout: Int64, statement: Int?, generation: UInt64, prepares: Bool, isUnknown: Bool,
        at now: Instant
    ) {
        lane.send(statement.map(Load.getter(ofStatement:)), isUnknown: isUnknown, at: now)
        openCount += 1
        sent.append(
            Sent(
                load: load, at: now, timeout: timeout, statement: statement, generation: generation,
                isUnknown: isUnknown,
                prepares: prepares, segment: openSegment))
    }

    /// Notes that the open segment's sync was sent.
    mutating func closeSegment() {
        openSegment += 1
        openCount = 0
    }

    // MARK: Receiving

    /// Whether there is a load whose answer this can be.
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
    mutating func receiveError(_ error: PostgresError, at now: Instant) -> Completion {
        guard isAnswerDue else { return .nothing }
        let isByParse = sent[0].prepares && !isParsed
        isAborting = true
        let number = answered
        var refusedOne = takeOldest(at: now)
        // Whatever refused it: a Parse waits for the table's lock, and is what a cancel request hits then.
        if isByParse { forgetStatement(of: refusedOne) }
        guard var load = refusedOne.load.take() else { return .nothing }
        if error.state == .queryCanceled {
            if isCancelled(number) {
                let failure = LoadError.cancelled(load.getter.name, after: .nanoseconds(load.timeout))
                return .fail(load, failure)
            }
            // The request came late, and hit a query after the one that it was meant for.
            if isInReachOfCancel(number), !load.isRetry {
                load.isRetry = true
                return .retry(load)
            }
        }
        return refused(load, error, generation: refusedOne.generation, byParse: isByParse)
    }

    // MARK: Cancelling

    /// Notes that the server was asked to cancel the oldest query. Until ``cancelEnded()`` nothing new is to be sent here.
    mutating func cancelBegan() {
        cancellation = .requested(answered)
        lane.isShut = true
    }

    /// Whether the server was asked to cancel a query and may still do so, or has not answered that one.
    var isCancelling: Bool { lane.isShut || isCancelled(answered) }

    private func isCancelled(_ number: UInt64) -> Bool {
        switch cancellation {
        case .none: false
        case .requested(let cancelled), .done(let cancelled, _): cancelled == number
        }
    }

    private func isInReachOfCancel(_ number: UInt64) -> Bool {
        switch cancellation {
        case .none: false
        case .requested: true
        case .done(_, let barrier): number < barrier
        }
    }

    /// The request was carried out: it cannot hit what is sent from now on.
    mutating func cancelEnded() {
        guard case .requested(let number) = cancellation else { return }
        cancellation = .done(number, barrier: answered + UInt64(sent.count))
        lane.isShut = false
    }

    /// The loads of a segment that the server did not run.
    struct Unrun: ~Copyable {
        /// Oldest first: they are to be sent again.
        var loads = UniqueDeque<Load>()
        /// They were alone in their segment, so the server skipped them for no reason. To be dropped, which fails them.
        var skipped = UniqueDeque<Load>()
    }

    /// Ends the oldest segment. Returns its loads that were not run. None is dropped in here: dropping one has its group
    /// start others, which look at this pipeline.
    mutating func receiveSync(at now: Instant) -> Unrun {
        var unrun = Unrun()
        while !sent.isEmpty, sent[0].segment == oldestSegment {
            var skipped = takeOldest(at: now, wasRun: false)
            // Its Parse was skipped, too.
            if skipped.prepares { forgetStatement(of: skipped) }
            guard var load = skipped.load.take() else { continue }
            if load.isAlone {
                unrun.skipped.append(load)
                continue
            }
            load.isAlone = true
            unrun.loads.append(load)
        }
        oldestSegment += 1
        isAborting = false
        return unrun
    }

    /// The session does not have the statement that was to be prepared: the next load prepares one, whoever's this one was.
    private mutating func forgetStatement(of sent: borrowing Sent) {
        guard let statement = sent.statement, prepared[statement].generation == sent.generation else { return }
        prepared[statement].isCurrent = false
    }

    private mutating func takeOldestLoad(at now: Instant) -> Load? {
        var oldest = takeOldest(at: now)
        return oldest.load.take()
    }

    private mutating func takeOldest(at now: Instant, wasRun: Bool = true) -> Sent {
        isParsed = false
        answered += 1
        let oldest = sent.removeFirst()
        let took = lane.finish(
            oldest.getter, isUnknown: oldest.isUnknown, sentAt: oldest.at,
            nextSentAt: sent.isEmpty ? nil : sent[0].at, at: now)
        forget(oldest)
        // A statement's first run plans it, and opens its tables.
        if wasRun, !oldest.prepares || took > Pace.long, let statement = oldest.statement {
            paces[statement].note(took)
        }
        return oldest
    }

    /// Takes it out of every count of what is in flight.
    private func forget(_ sent: borrowing Sent) {
        if sent.isUnknown, let statement = sent.statement { paces[statement].noteEndedUnknown() }
    }

    /// A statement whose columns have changed is prepared again, under its next name. Loads that were sent before its first
    /// refusal was read are refused as well, and find the next generation already there. A statement that the session does
    /// not have, or has with another meaning, is a pooler's doing: the load is sent without one.
    private mutating func refused(
        _ load: consuming Load, _ error: PostgresError, generation: UInt64, byParse: Bool
    ) -> Completion {
        let statement = load.statementIndex
        if error.isSchemaMismatch { load.getter.setDegraded(true) }
        let changed = error.isResultTypeChange && !byParse
        let isStale =
            changed || error.state == .invalidStatementName || error.state == .duplicatePreparedStatement
        let isOwnStatement = generation != 0 && prepared[statement].generation == generation
        if isOwnStatement, isStale { prepared[statement].isCurrent = false }
        guard generation != 0, isStale, !load.isRetry else {
            if load.batch != nil, error.mayConcernOneKey { return .split(load) }
            let failure = error.loadError(for: load.getter)
            return .fail(load, failure)
        }
        load.isRetry = true
        guard changed else {
            load.isUnprepared = true
            return .retryUnprepared(load)
        }
        guard isOwnStatement else { return .retry(load) }
        let stale = load.statement.name(generation: generation)
        return .retryAfterSchemaChange(load, stale: stale)
    }

    // MARK: Time and loss

    /// Whose query the server runs; nil when it is none of a getter.
    var oldestGetter: Int? { sent.isEmpty ? nil : sent[0].getter }

    /// Since when the server could have answered the oldest load; nil when none is due.
    var waitsSince: Instant? { sent.isEmpty ? nil : lane.headSince }

    /// When the oldest one has used up its time, which runs from when the server could begin with it: its wait for those
    /// before it does not count.
    var deadline: Instant? {
        guard !sent.isEmpty else { return nil }
        return lane.headSince.advanced(byNanoseconds: sent[0].timeout)
    }

    /// Takes back the loads behind the oldest one, oldest first. The server answers them all the same, and nobody looks. What was
    /// taken back before stays: no load runs ever more often.
    mutating func takeBackBehindOldest() -> UniqueDeque<Load> {
        var loads = UniqueDeque<Load>()
        for index in sent.indices.dropFirst() {
            guard var load = sent[index].load.take() else { continue }
            if load.wasTakenBack {
                sent[index].load = consume load
            } else {
                load.wasTakenBack = true
                lane.takeBack(load.getterIndex)
                loads.append(load)
            }
        }
        return loads
    }

    /// Takes out every load, oldest first; nothing of them was answered in full.
    mutating func takeLoads() -> UniqueDeque<Load> {
        var loads = UniqueDeque<Load>()
        while var lost = sent.popFirst() {
            forget(lost)
            if let load = lost.load.take() { loads.append(load) }
        }
        lane = Lane(getterCount: paces.count / 2, roundTrip: lane.roundTrip)
        return loads
    }
}
