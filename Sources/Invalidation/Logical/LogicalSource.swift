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
    /// So many transactions are held at most: a server has no more that commit at once, and a standby that lags is no base.
    static let heldTransactions = 1 << 17
    /// How long the server may take for a question.
    private static let patience = Duration.seconds(5)
    /// How long a slot may take: it waits for each transaction that writes and began before.
    private static let slotPatience = Duration.seconds(600)

    /// In front of a question about the catalog: by its costs the server would compile it, which takes twenty times as long as
    /// the answer, and the gate's questions wait behind it. For that question alone, since a pooler may hand the session on.
    private static let uncompiled = "set local jit = off; "

    private let settings: Settings
    private let map: InvalidationMap
    private let loop: EventLoop
    private unowned let owner: any ChangeSourceOwner
    private let logger: Logger

    /// How the stream and the loads reach the database.
    struct Settings {
        var stream: DatabaseSettings
        var loads: DatabaseSettings
        var publication: String
        var heartbeat: Duration
    }

    private var stream: QuestionConnection?
    private var gateway: QuestionConnection?
    /// Counts connections, to know what comes late of those that were let go of.
    private var attempt = 0
    private var gatherer: TransactionGatherer
    private var gate = VisibilityGate<CommittedTransaction>()
    private var bytesHeld = 0
    /// All up to here was received.
    private var received = LogPosition.none
    private var isInTransaction = false
    private var standing: PublicationStanding?
    private var isChecking = false
    /// Whether something came meanwhile that makes another look due.
    private var isCheckDue = false
    private var statusTimer: Timer?
    private var statusPause = Duration.seconds(5)

    init(
        _ settings: Settings, _ map: InvalidationMap, on loop: EventLoop, owner: any ChangeSourceOwner, logger: Logger
    ) {
        self.settings = settings
        self.map = map
        self.loop = loop
        self.owner = owner
        self.logger = logger
        gatherer = Self.gatherer(map)
    }

    private static func gatherer(_ map: InvalidationMap) -> TransactionGatherer {
        // No form is known before the catalog was asked.
        TransactionGatherer(
            bound: transactionBytes, columnLists: { map.columnLists(of: $0) }, forms: { _, _ in nil })
    }

    // MARK: Connecting, step by step

    /// First the gate, which tells how the publication stands; then the stream, whose slot has to come after the publication.
    func connect() {
        attempt += 1
        gatherer = Self.gatherer(map)
        gate = VisibilityGate()
        (bytesHeld, received, isInTransaction, isChecking, isCheckDue) = (0, .none, false, false, false)
        open(settings.loads, for: .gate) { [self] connection in
            gateway = connection
            askServer()
        }
    }

    private func open(
        _ settings: DatabaseSettings, for purpose: ConnectionPurpose,
        _ whenOpen: @escaping @Sendable (QuestionConnection) -> Void
    ) {
        let attempt = attempt
        let isStarted = QuestionConnection.connect(settings, for: purpose, on: loop, owner: self) { [self] result in
            switch result {
            case .success(let connection):
                guard attempt == self.attempt else { return connection.close() }
                whenOpen(connection)
            case .failure(let error):
                if attempt == self.attempt { lose(StreamRefusal.text("\(error)")) }
            }
        }
        if !isStarted { loop.enqueue { [self] in lose("no thread to connect on") } }
    }

    /// Asks on either connection; an answer of a connection that was let go of is nobody's.
    private func ask(
        _ connection: QuestionConnection?, _ sql: String, within patience: Duration = LogicalSource.patience,
        _ whenAnswered: @escaping ([[String?]]) -> Void
    ) {
        let attempt = attempt
        connection?.ask(sql, within: patience) { [self] answer in
            guard attempt == self.attempt else { return }
            switch answer {
            case .success(let rows): whenAnswered(rows)
            case .failure(let refusal): lose(StreamRefusal.text(refusal))
            }
        }
    }

    private func askServer() {
        ask(gateway, "select system_identifier::text from pg_catalog.pg_control_system()") { [self] rows in
            let loadsCluster = rows.first?.first ?? nil
            check { [self] in
                open(settings.stream, for: .replication) { [self] connection in
                    stream = connection
                    prepare(loadsCluster)
                }
            }
        }
    }

    /// The texts of keys must not depend on what the role, the database or the environment say.
    private func prepare(_ loadsCluster: String?) {
        let sql = """
            select pg_catalog.set_config('datestyle', 'ISO, MDY', false), pg_catalog.set_config('timezone', 'UTC', false),
                pg_catalog.set_config('intervalstyle', 'postgres', false), pg_catalog.set_config('bytea_output', 'hex', false),
                pg_catalog.set_config('extra_float_digits', '1', false), pg_catalog.set_config('statement_timeout', '0', false),
                pg_catalog.set_config('lock_timeout', '0', false),
                (select setting from pg_catalog.pg_settings where name = 'wal_sender_timeout'),
                pg_catalog.current_setting('synchronous_standby_names')
            """
        ask(stream, sql) { [self] rows in
            let row = rows.first ?? []
            let timeout = row.count > 7 ? row[7].flatMap { Int($0) } ?? 0 : 0
            statusPause = timeout > 0 ? min(settings.heartbeat, .milliseconds(max(1, timeout / 3))) : settings.heartbeat
            if row.count > 8, row[8]?.contains("*") ?? false {
                logger.warning(
                    "synchronous_standby_names has a *, which takes this sidecar for a standby that keeps data: name the standbys"
                )
            }
            ask(stream, "IDENTIFY_SYSTEM") { [self] rows in
                guard let cluster = rows.first?.first, cluster == loadsCluster else {
                    return lose("loads go to another database cluster than the stream comes from: see invalidation.url")
                }
                createSlot()
            }
        }
    }

    private func createSlot() {
        let name = "pgsidecar_" + String(UInt64.random(in: .min ... .max), radix: 16)
        let notice = loop.schedule(at: loop.now + .seconds(2)) { [owner] in
            owner.waits(
                "the replication slot waits for transactions that write and began before it, and nothing is kept until they end: "
                    + "see backend_xid in pg_stat_activity, and pg_prepared_xacts")
        }
        ask(
            stream, "CREATE_REPLICATION_SLOT \(name) TEMPORARY LOGICAL pgoutput NOEXPORT_SNAPSHOT",
            within: Self.slotPatience
        ) { [self] rows in
            loop.cancel(notice)
            guard let row = rows.first, row.count > 1, let start = row[1].flatMap({ LogPosition($0) }) else {
                return lose("the server does not say where its slot begins")
            }
            lookAtStart { [self] running in
                look { [self] sight in
                    begin(at: start, seeing: sight, running: running)
                    startStream(name)
                }
            }
        }
    }

    private func startStream(_ slot: String) {
        // A string of the replication grammar, which holds a list of names.
        let names = SQLName.quoted(settings.publication).split(separator: "'", omittingEmptySubsequences: false)
            .joined(separator: "''")
        let command = "START_REPLICATION SLOT \(slot) LOGICAL 0/0 (proto_version '1', publication_names '\(names)')"
        ask(stream, command) { [self] _ in
            sendStatus(wantsReply: false)
            owner.opened()
            owner.proven()
        }
    }

    // MARK: What the publication says

    /// Asks how the publication stands, and tells of what changed: what is defined anew is in no stream.
    private func check(_ whenGood: @escaping () -> Void) {
        isChecking = true
        let tables = Array(map.tables)
        ask(gateway, Self.uncompiled + PublicationSQL.check(settings.publication, tables)) { [self] rows in
            isChecking = false
            defer { if isCheckDue, gateway != nil { checkAgain() } }
            let found = PublicationStanding(rows, tables: tables)
            guard found.actions != nil else {
                return lose(
                    "there is no publication \(SQLName.quoted(settings.publication)); make it by: pgsidecar sql install --apply"
                )
            }
            let refused = refused(by: found)
            var isAsBefore = false
            if let before = standing {
                // What a transaction did before its table was published is in no stream, whenever it commits: a new slot waits
                // for those.
                guard refused == self.refused(by: before) else {
                    return lose("the publication or its tables were changed")
                }
                let changed = found.changed(since: before)
                isAsBefore = changed.isEmpty
                for table in changed {
                    owner.changed(TableChange(table: table, what: .all))
                    guard gateway != nil else { return }
                }
            } else {
                owner.refused(refused)
            }
            standing = found
            let reached = gate.released
            owner.lags(
                by: found.position > reached && reached > .none ? found.position.bytes - reached.bytes : 0,
                holding: gate.count)
            if isAsBefore { whenGood() } else { readForms(found, whenGood) }
        }
    }

    /// Looks again, from now.
    private func checkAgain() {
        isCheckDue = isChecking
        if !isChecking { check {} }
    }

    /// Asks how the tables' columns are written as keys.
    private func readForms(_ standing: PublicationStanding, _ whenGood: @escaping () -> Void) {
        guard !standing.tables.isEmpty else { return whenGood() }
        ask(gateway, Self.uncompiled + PublicationSQL.columnTypes(standing.tables)) { [self] rows in
            gatherer.use(standing.forms(rows))
            whenGood()
        }
    }

    /// The groups whose rules can't be followed, and why.
    private func refused(by standing: PublicationStanding) -> [String: String] {
        var refused: [String: String] = [:]
        for group in map.groups {
            let tables = group.rules.map(\.table)
            for rule in group.rules {
                let mistake = standing.mistake(in: rule.table, by: rule.key, of: settings.publication, followed: tables)
                if let mistake, refused[group.group.name] == nil { refused[group.group.name] = mistake.description }
            }
        }
        return refused
    }

    // MARK: The stream

    func connection(_ connection: QuestionConnection, received frame: RawSpan) {
        guard connection === stream else { return }
        owner.heard()
        switch ReplicationFrame(frame) {
        case .data(let message): take(message)
        case .keepalive(let end, let wantsReply):
            // In a transaction it says nothing of what is to come of it.
            if !isInTransaction {
                received = max(received, end)
                gate.receivedAll(upTo: end)
            }
            if wantsReply { sendStatus(wantsReply: false) }
            owner.told(upTo: gate.released)
            if stream != nil { owner.beatAnswered() }
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
            return owner.told(upTo: gate.released)
        }
        guard gate.count < Self.heldTransactions else {
            return lose("more than \(Self.heldTransactions) committed transactions are not visible to loads yet")
        }
        var ended = ended
        if bytesHeld + ended.bytes > Self.heldBytes { ended.collapse() }
        bytesHeld += ended.bytes
        act(on: gate.hold(ended.transaction, from: ended.begin, to: ended.end, ended))
    }

    private func sendStatus(wantsReply: Bool) {
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

    private func begin(
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
    private func lookAtStart(_ whenKnown: @escaping (Set<UInt32>) -> Void) {
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
    private func look(_ whenSeen: @escaping (VisibilityGate<CommittedTransaction>.Sight) -> Void) {
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
                owner.changed(change)
                guard attempt == self.attempt else { return }
            }
        }
        owner.told(upTo: gate.released)
        guard attempt == self.attempt else { return }
        act(on: action)
    }

    // MARK: Signs of life, and the end

    func beat() {
        guard stream != nil else { return }
        sendStatus(wantsReply: true)
        if !isChecking { check {} }
    }

    func connection(_ connection: QuestionConnection, lost reason: Refusal) {
        guard connection === stream || connection === gateway else { return }
        let whose = connection === stream ? "" : "the connection that asks what loads see: "
        lose(whose + StreamRefusal.text(reason))
    }

    private func lose(_ reason: String) {
        close()
        owner.lost(reason)
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

/// What the server says when it refuses a stream, with what helps.
enum StreamRefusal {
    static func text(_ refusal: Refusal) -> String {
        let state = refusal.state.isEmpty ? "" : " [SQLSTATE \(refusal.state)]"
        return refusal.description + state + hint(refusal.description, refusal.state)
    }

    /// For what libpq says of an attempt to connect, which has no code. The words in it that are looked for are settings and
    /// PostgreSQL's names of parts, which no language translates.
    static func text(_ words: String) -> String { words + hint(words, "") }

    private static func hint(_ words: String, _ state: String) -> String {
        if words.contains("max_replication_slots") || state == "53400" {
            return "; all replication slots are in use: raise max_replication_slots, or drop unused ones"
        }
        if words.contains("max_wal_senders") {
            return "; all WAL senders are in use: raise max_wal_senders"
        }
        if words.contains("wal_level") {
            return "; set wal_level = logical in postgresql.conf and restart the server, or use source: notify"
        }
        if words.contains("walsender") || state == "42501" {
            return "; the role needs: ALTER ROLE ... REPLICATION"
        }
        if words.contains("unsupported startup parameter") {
            return "; a pooler can't carry a replication stream: set invalidation.url to the server itself"
        }
        switch state {
        case "42704": return "; make the publication by: pgsidecar sql install --apply"
        case "55000": return "; a slot that fell too far behind is invalidated: see max_slot_wal_keep_size"
        case _: return ""
        }
    }
}
