import EventLoop
import Groundwork
import Logging
import Postgres

/// Connecting, step by step.
extension LogicalSource {
    /// How long a slot may take: it waits for each transaction that writes and began before.
    private static let slotPatience = Duration.seconds(600)

    /// First the gate, which tells how the publication stands; then the stream, whose slot has to come after the publication.
    func connect() {
        attempt += 1
        gatherer = Self.emptyGatherer(map)
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
        let notice = loop.schedule(at: loop.now + .seconds(2)) { [weak owner] in
            owner?.waits(
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
            owner?.opened()
            owner?.proven()
        }
    }

    /// A gatherer for a new stream. How columns are written as keys is known when the catalog was asked.
    static func emptyGatherer(_ map: InvalidationMap) -> TransactionGatherer {
        TransactionGatherer(
            bound: transactionBytes, columnLists: { map.columnLists(of: $0) }, forms: { _, _ in nil })
    }
}
