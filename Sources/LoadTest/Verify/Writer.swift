import Groundwork
import Postgres

/// Writes the rows of its own keys, on a thread of its own, until told to stop.
///
/// It is the only one that writes them, so it knows the order of their versions, and it asks the database what became of a
/// transaction when the connection was lost at its commit.
final class Writer: Sendable {
    /// What all writers share.
    struct Plan: Sendable {
        let url: Secret
        let ledger: Ledger
        let writers: Int
        let seed: UInt64
        /// Says after each commit, or should it be so before, which keys changed; for a sidecar that no stream tells.
        let teller: Teller?
        /// Whether some transactions keep the table's triggers from firing.
        let isSilent: Bool
        /// Where to count the rows that were committed.
        let progress: Progress
    }

    private let index: Int
    private let plan: Plan
    private let end = Groundwork.Mutex<(isDone: Bool, failure: String?)>((false, nil))

    /// Starts to write the keys whose number modulo `plan.writers` is `index`.
    init(_ index: Int, _ plan: Plan) {
        self.index = index
        self.plan = plan
        let isStarted = startThread { [self] in
            var hand = WritingHand(index, plan)
            let failure = hand.write()
            end.withLock { $0 = (true, failure) }
        }
        if !isStarted { end.withLock { $0 = (true, "the system gives no thread") } }
    }

    /// Whether it has ended.
    var isDone: Bool { end.withLock { $0.isDone } }

    /// Why it ended before it was done.
    var failure: String? { end.withLock { $0.failure } }
}

/// The writer's own thread's part: its keys and its connection.
private struct WritingHand: ~Copyable {
    private let index: Int
    private let plan: Writer.Plan
    private var random: SplitMix64
    private var connection: SQLSession?
    private var announcer: BlockingConnection?
    private var keys = WriterKeys()
    private var transactions: Int64 = 0

    init(_ index: Int, _ plan: Writer.Plan) {
        self.index = index
        self.plan = plan
        random = SplitMix64(seed: plan.seed &+ UInt64(index))
        for key in stride(from: index, to: plan.ledger.keyCount, by: plan.writers) {
            keys.add(key, isPresent: plan.ledger.newest(key) != nil)
        }
    }

    /// Returns why it could not go on; nil when it was stopped.
    mutating func write() -> String? {
        while !plan.progress.isWritingStopped {
            transactions += 1
            let transaction = WriterTransaction(
                version: transactions * Int64(plan.writers) + Int64(index), of: &keys, by: &random)
            do {
                try carryOut(transaction)
            } catch {
                return "writer \(index): \(error)"
            }
        }
        return nil
    }

    private mutating func carryOut(_ transaction: WriterTransaction) throws {
        for change in transaction.changes {
            plan.ledger.begin(change.key, transaction.version, isAbsent: change.isAbsent)
        }
        let isCommitted: Bool
        do throws(SQLFailure) {
            try connect()
            if let teller = plan.teller, teller.isEarly, transaction.commits {
                try tell(teller, transaction)
                pause(milliseconds: 1)
            }
            let isSilent = plan.isSilent && transaction.version % 97 == 0
            if isSilent { try connection?.run(Subject.silence) }
            try connection?.run(transaction.sql)
            if isSilent { try connection?.run(Subject.unsilence) }
            isCommitted = transaction.commits
        } catch {
            // A server that refuses a statement of ours is a mistake here; one that is gone is not.
            guard error.isLost || connection == nil else { throw error }
            connection = nil
            isCommitted = try becameOf(transaction)
        }
        let now = Instant.now()
        for change in transaction.changes {
            if isCommitted { plan.ledger.commit(change.key, at: now) } else { plan.ledger.rollBack(change.key) }
        }
        guard isCommitted else { return }
        keys.apply(transaction)
        if let teller = plan.teller, !teller.isEarly { try tell(teller, transaction) }
        plan.progress.noteWrites(transaction.changes.count)
    }

    private mutating func tell(_ teller: Teller, _ transaction: WriterTransaction) throws(SQLFailure) {
        guard teller.tells(of: transaction.version) else { return }
        do throws(ConnectionError) {
            if announcer == nil { announcer = try BlockingConnection(teller.socket) }
            _ = try announcer?.ask(["DEL"] + transaction.changes.flatMap { Subject.keys(naming: $0.key) })
        } catch {
            throw SQLFailure("the sidecar: \(error)", isLost: false)
        }
    }

    /// Connects, for as long as it takes, when there is no connection.
    private mutating func connect() throws(SQLFailure) {
        let deadline = Instant.now() + .seconds(60)
        while connection == nil {
            do throws(ConnectError) {
                connection = try SQLSession(url: plan.url, name: Self.name)
            } catch {
                guard Instant.now() < deadline, !plan.progress.isWritingStopped else {
                    throw SQLFailure("\(error)", isLost: false)
                }
                pause(milliseconds: 20)
            }
        }
    }

    /// The name under which writers are to be found.
    static var name: String { "pgsidecar writer" }

    /// What became of a transaction whose connection was lost, when that is settled.
    private mutating func becameOf(_ transaction: WriterTransaction) throws -> Bool {
        while true {
            try connect()
            do throws(SQLFailure) {
                // This waits for whoever still has the old transaction open.
                let rows = try connection?.run(transaction.question) ?? []
                return rows.first?.first == "t"
            } catch {
                guard error.isLost else { throw error }
                connection = nil
            }
        }
    }
}
