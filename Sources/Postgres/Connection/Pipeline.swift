import CacheCore
import DequeModule
import Groundwork

/// What one connection was asked and has not answered yet, and which statements it has prepared: a state machine without
/// I/O. Its owner sends, tells it what came back, and does what it returns.
///
/// An answer is complete at its sync and not before: until then an error can still follow.
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
    }

    /// One getter's prepared statement on this connection.
    private struct Prepared {
        var generation: UInt64 = 0
        var isCurrent = false
    }

    /// What the oldest one has been answered so far.
    private enum Answer {
        case nothing
        case parsed
        case outcome(Outcome)
        case refused(ServerError, byParse: Bool)
    }

    /// What follows from the end of an answer.
    enum Completion: ~Copyable {
        /// Hand the outcome to those who wait.
        case end(Load, Outcome)
        /// Send the load once more.
        case retry(Load)
        /// The columns of its result changed: let the group forget what it holds, drop the statement, then send the load
        /// once more.
        case retryAfterSchemaChange(Load, stale: String)
        /// It was housekeeping, or nothing was asked.
        case nothing
    }

    private var sent = UniqueDeque<Sent>()
    private var prepared: [Prepared]
    private var answer = Answer.nothing
    /// When the oldest one became the oldest.
    private var progressAt = Instant(nanoseconds: 0)

    init(statementCount: Int) {
        prepared = Array(repeating: Prepared(), count: statementCount)
    }

    /// The number of answers that are due.
    var depth: Int { sent.count }

    // MARK: Sending

    /// Which statement runs a getter's SQL, and whether it has to be prepared in front.
    mutating func statement(of getter: QueryGetter, at place: Int) -> (name: String, needsPrepare: Bool) {
        let needsPrepare = !prepared[place].isCurrent
        if needsPrepare {
            prepared[place].generation += 1
            prepared[place].isCurrent = true
        }
        return (getter.statement.name(generation: prepared[place].generation), needsPrepare)
    }

    /// Notes that a load was sent together with its sync.
    mutating func append(_ load: consuming Load, runsStatement: Bool, prepares: Bool, at now: Instant) {
        let generation = runsStatement ? prepared[load.place].generation : 0
        let timeout = load.timeout
        noteProgressIfIdle(now)
        sent.append(Sent(load: load, at: now, timeout: timeout, generation: generation, prepares: prepares))
    }

    /// Notes that a statement was sent for whose answer nobody waits.
    mutating func appendHousekeeping(timeout: Duration, at now: Instant) {
        noteProgressIfIdle(now)
        sent.append(
            Sent(load: nil, at: now, timeout: timeout.wholeNanoseconds, generation: 0, prepares: false))
    }

    private mutating func noteProgressIfIdle(_ now: Instant) {
        if sent.isEmpty { progressAt = now }
    }

    // MARK: Receiving

    /// Rows came for the oldest one.
    mutating func receiveRows(_ result: borrowing PQResult) {
        guard !sent.isEmpty, let getter = sent[0].load?.getter else { return }
        answer = .outcome(getter.outcome(of: result))
    }

    /// A command without rows was done for the oldest one.
    mutating func receiveDone() {
        guard !sent.isEmpty else { return }
        switch answer {
        case .nothing where sent[0].prepares: answer = .parsed
        case .nothing, .parsed:
            guard let getter = sent[0].load?.getter else { return }
            answer = .outcome(.failure(LoadError(.query, "\(getter.name): the query gives no rows")))
        case .outcome, .refused: break
        }
    }

    /// The oldest one was refused.
    mutating func receiveError(_ error: ServerError) {
        guard !sent.isEmpty else { return }
        switch answer {
        case .nothing: answer = .refused(error, byParse: sent[0].prepares)
        case .parsed, .outcome: answer = .refused(error, byParse: false)
        case .refused: break
        }
    }

    /// The oldest one's answer is complete.
    mutating func receiveSync(at now: Instant) -> Completion {
        guard let done = sent.popFirst() else { return .nothing }
        let answer = self.answer
        self.answer = .nothing
        progressAt = now
        return complete(done, answer)
    }

    private mutating func complete(_ done: consuming Sent, _ answer: Answer) -> Completion {
        let generation = done.generation
        guard let load = done.load.take() else { return .nothing }
        switch answer {
        case .outcome(let outcome):
            load.getter.setDegraded(false)
            return .end(load, outcome)
        case .refused(let error, let byParse):
            return refused(load, error, generation: generation, byParse: byParse)
        case .nothing, .parsed:
            let name = load.getter.name
            return .end(load, .failure(LoadError(.query, "\(name): the database gave no answer")))
        }
    }

    /// A statement that the connection does not have, has under another meaning, or has with other columns, is prepared
    /// anew under its next name. Loads that were sent behind it before the first refusal was read meet the same and find
    /// the next generation already there.
    private mutating func refused(
        _ load: consuming Load, _ error: ServerError, generation: UInt64, byParse: Bool
    ) -> Completion {
        if error.isSchemaMismatch { load.getter.setDegraded(true) }
        let changed = error.isResultTypeChange && !byParse
        let isStale =
            changed || error.state == .invalidStatementName || error.state == .duplicatePreparedStatement
        let isOwnStatement = generation != 0 && prepared[load.place].generation == generation
        if isOwnStatement, isStale || byParse { prepared[load.place].isCurrent = false }
        guard generation != 0, isStale, !load.isRetry else {
            let failure = error.loadError(for: load.getter)
            return .end(load, .failure(failure))
        }
        load.isRetry = true
        guard changed, isOwnStatement else { return .retry(load) }
        let stale = load.getter.statement.name(generation: generation)
        return .retryAfterSchemaChange(load, stale: stale)
    }

    // MARK: Time and loss

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
        answer = .nothing
        return loads
    }
}
