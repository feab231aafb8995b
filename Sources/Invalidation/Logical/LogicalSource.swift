import CacheCore
import EventLoop
import Groundwork
import Logging
import Postgres

/// What the write-ahead log tells, decoded by `pgoutput`, and held until the loads see it.
///
/// Two connections: one streams, from a temporary slot, which PostgreSQL drops with it, so that no log is kept for a sidecar
/// that is gone; the other, the gate's, goes where loads go and asks what they see. Losing either loses the stream.
final class LogicalSource: ChangeSource, QuestionConnectionOwner, @unchecked Sendable {
    // Unchecked: it is touched on the stream's loop only; what makes a connection on another thread hands it back there.

    /// What the changes of one transaction may take, and what those that are held may take, in bytes. Beyond it the tables
    /// that a transaction touched are stale as a whole.
    static let transactionBytes = 16 << 20
    static let heldBytes = 64 << 20
    /// The most transactions that are held: no server has more that commit at once, and a standby that lags by more is
    /// nothing to load from.
    static let heldTransactions = 1 << 17

    private(set) var settings: Settings
    private(set) var map: InvalidationMap
    let loop: EventLoop
    weak let owner: (any ChangeSourceOwner)?
    let logger: Logger

    /// How the stream and the loads reach the database.
    struct Settings {
        var stream: DatabaseSettings
        var loads: DatabaseSettings
        var publication: String
        var heartbeat: Duration
    }

    var stream: QuestionConnection?
    var gateway: QuestionConnection?
    /// Counts connections, to tell what comes late from one that was let go.
    var attempt = 0
    var gatherer: TransactionGatherer
    var gate = VisibilityGate<CommittedTransaction>()
    var bytesHeld = 0
    /// All up to here was received.
    var received = LogPosition.none
    var isInTransaction = false
    var standing: PublicationStanding?
    var isChecking = false
    /// Whether something came meanwhile that makes another look due.
    var isCheckDue = false
    private var statusTimer: Timer?
    var statusPause = Duration.seconds(5)

    init(
        _ settings: Settings, _ map: InvalidationMap, on loop: EventLoop, owner: any ChangeSourceOwner, logger: Logger
    ) {
        self.settings = settings
        self.map = map
        self.loop = loop
        self.owner = owner
        self.logger = logger
        gatherer = Self.emptyGatherer(map)
    }

    // MARK: Questions

    /// A transaction's changes are gathered by the columns that concern somebody when they come, so for other columns the stream
    /// begins anew.
    func adopt(_ map: InvalidationMap, isKnown: Bool, stream: DatabaseSettings, loads: DatabaseSettings) {
        self.map = map
        settings.stream = stream
        settings.loads = loads
        if !isKnown, self.stream != nil { owner?.lost("the settings have other invalidate_on rules") }
    }

    /// Asks on either connection, which is lost if it does not answer within `patience`. An answer of a connection that was
    /// let go of is nobody's.
    func ask(
        _ connection: QuestionConnection?, _ sql: String, within patience: Duration = .seconds(5),
        _ whenAnswered: @escaping ([[String?]]) -> Void
    ) {
        let attempt = attempt
        connection?.ask(sql, within: patience) { [self] answer in
            guard attempt == self.attempt else { return }
            switch answer {
            case .success(let rows): whenAnswered(rows)
            case .failure(let failure): lose(StreamRefusal.text(failure))
            }
        }
    }

    // MARK: The stream

    func connection(_ connection: QuestionConnection, received frame: RawSpan) {
        guard connection === stream else { return }
        owner?.heard()
        switch ReplicationFrame(frame) {
        case .data(let message): take(message)
        case .keepalive(let end, let wantsReply):
            // Within a transaction the position says nothing of what is still to come of that.
            if !isInTransaction {
                received = max(received, end)
                gate.receivedAll(upTo: end)
            }
            if wantsReply { sendStatus(wantsReply: false) }
            owner?.told(upTo: gate.released)
            if stream != nil { owner?.beatAnswered() }
        case nil: lose("the server sent what is no frame of replication")
        }
    }

    private func take(_ bytes: RawSpan) {
        do throws(PgOutputError) {
            let message = try PgOutputMessage(parsing: bytes)
            let ended = try gatherer.take(message)
            switch message {
            case .begin: isInTransaction = true
            // Its definition may have changed, and more with it that no stream tells.
            case .relation: checkAgain()
            case _: break
            }
            guard let ended else { return }
            isInTransaction = false
            received = max(received, ended.end)
            hold(ended)
        } catch {
            lose(error.description)
        }
    }

    private func hold(_ ended: CommittedTransaction) {
        guard !ended.changes.isEmpty else {
            gate.receivedAll(upTo: ended.end)
            owner?.told(upTo: gate.released)
            return
        }
        guard gate.count < Self.heldTransactions else {
            return lose("more than \(Self.heldTransactions) committed transactions are not visible to loads yet")
        }
        var ended = ended
        if bytesHeld + ended.bytes > Self.heldBytes { ended.collapse() }
        bytesHeld += ended.bytes
        act(on: gate.hold(ended.transaction, from: ended.begin, to: ended.end, ended))
    }

    func sendStatus(wantsReply: Bool) {
        stream?.send(frame: StandbyStatus(position: received, wantsReply: wantsReply).encoded())
        if let statusTimer { loop.cancel(statusTimer) }
        statusTimer = loop.schedule(at: loop.now + statusPause) { [weak self] in self?.sendStatus(wantsReply: false) }
    }

    // MARK: The gate

    /// Everything that anybody depends on.
    private var everything: CommittedTransaction {
        let changes = map.tables.map { TableChange(table: $0, what: .all) }
        return CommittedTransaction(transaction: 0, begin: .none, end: .none, changes: changes, bytes: 0)
    }

    func begin(
        at start: LogPosition, seeing sight: VisibilityGate<CommittedTransaction>.Sight, running: Set<UInt32>
    ) {
        received = start
        act(on: gate.begin(at: start, seeing: sight, running: running, everything: everything))
    }

    static let running = """
        select transactionid::text from pg_catalog.pg_locks
        where locktype = 'transactionid' and mode = 'ExclusiveLock' and granted
        """

    /// Asks which transactions run that have a number: each holds a lock on it until after it is visible.
    func lookAtStart(_ whenKnown: @escaping (Set<UInt32>) -> Void) {
        ask(gateway, Self.running) { rows in whenKnown(Set(rows.compactMap { $0.first?.flatMap { UInt32($0) } })) }
    }

    private func act(on action: VisibilityGate<CommittedTransaction>.Action) {
        switch action {
        case .nothing: break
        case .ask: look { [self] in release(seen: $0) }
        case .pause(let pause):
            let attempt = attempt
            loop.schedule(at: loop.now + pause) { [weak self] in
                guard let self, attempt == self.attempt else { return }
                act(on: gate.pauseEnded())
            }
        }
    }

    /// Asks what loads see.
    func look(_ whenSeen: @escaping (VisibilityGate<CommittedTransaction>.Sight) -> Void) {
        let sql = """
            select pg_catalog.pg_current_snapshot()::text, pg_catalog.pg_is_in_recovery()::text,
                pg_catalog.pg_last_wal_replay_lsn()::text
            """
        ask(gateway, sql) { [self] rows in
            let row = rows.first ?? []
            if row.count == 3, row[1] == "true", let position = row[2].flatMap({ LogPosition($0) }) {
                whenSeen(.replayed(position))
            } else if row.count == 3, row[1] == "false", let snapshot = row[0].flatMap({ Snapshot($0) }) {
                whenSeen(.snapshot(snapshot))
            } else {
                lose("the server does not say what its queries see")
            }
        }
    }

    private func release(seen sight: VisibilityGate<CommittedTransaction>.Sight) {
        let attempt = attempt
        // Gathered first: telling the owner may close all this.
        var released: [CommittedTransaction] = []
        let action = gate.answered(sight) { released.append($0) }
        for transaction in released {
            bytesHeld -= transaction.bytes
            for change in transaction.changes {
                owner?.changed(change)
                guard attempt == self.attempt else { return }
            }
        }
        owner?.told(upTo: gate.released)
        guard attempt == self.attempt else { return }
        act(on: action)
    }

    // MARK: Signs of life, and the end

    func beat() {
        guard stream != nil else { return }
        sendStatus(wantsReply: true)
        if !isChecking { check {} }
    }

    func connection(_ connection: QuestionConnection, lost reason: SQLFailure) {
        guard connection === stream || connection === gateway else { return }
        let whose = connection === stream ? "" : "the connection that asks what loads see: "
        lose(whose + StreamRefusal.text(reason))
    }

    func lose(_ reason: String) {
        close()
        owner?.lost(reason)
    }

    func close() {
        attempt += 1
        if let statusTimer { loop.cancel(statusTimer) }
        statusTimer = nil
        stream?.close()
        gateway?.close()
        stream = nil
        gateway = nil
        standing = nil
    }
}
