import Foundation
import Glibc
import Groundwork
import PrivateDatabase
import TestSupport
import Testing

/// What triggers notify, from the commit to the client's next answer.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct NotifyTests {
    /// Has the table's changes told.
    private func tellChanges(of database: TestDatabase) async throws {
        try await IntegrationTests.tellChanges(by: settings(database))
    }

    private func settings(
        _ database: TestDatabase, url: String? = nil, stream: String = "", heartbeat: String = "30s",
        group: String = "ttl: 1h", connectTimeout: String = "2s", more: String = ""
    ) -> String {
        """
        database: { url: "\(url ?? database.url)", connections: 4, connect_timeout: \(connectTimeout) }
        threads: 2
        invalidation: { source: notify, heartbeat: \(heartbeat)\(stream) }
        groups:
          word:
            sql: "\(TestDatabase.heldWord())"
            returns: value
            load_timeout: 5m
            \(group)
            invalidate_on: [{ table: public.word, key: [id] }]
        \(more)
        """
    }

    private func isLive(_ sidecar: RunningSidecar) async -> Bool { await state(of: sidecar, is: "live") }

    private func state(of sidecar: RunningSidecar, is state: String) async -> Bool {
        await eventually { (try? sidecar.info("invalidation_state")) == state }
    }

    private func listeners(_ database: TestDatabase) async throws -> [pid_t] {
        try await database.run(
            "select pid from pg_stat_activity where application_name = 'pgsidecar listen' "
                + "and datname = current_database()"
        ).split(separator: "\n").compactMap { pid_t($0) }
    }

    @Test func `an insert, an update and a delete are what the next GET sees once they were heard of`() async throws {
        let database = try await TestDatabase.shared()
        try await tellChanges(of: database)
        try await withSidecar(settings(database)) { sidecar in
            #expect(try sidecar.info("invalidation_state") == "live")
            let client = try sidecar.client()
            #expect(try client.ask("GET", "word:5000") == .null)
            for (sql, reply) in [
                ("insert into word values (5000, 'new', 0)", Reply.bulk("new")),
                ("update word set text = 'newer' where id = 5000", .bulk("newer")),
                ("delete from word where id = 5000", .null),
            ] {
                try await database.run(sql)
                #expect(try await eventually { try client.ask("GET", "word:5000") == reply })
            }
            // Four values, each loaded once.
            #expect(try sidecar.statistics("word")["loads"] == 4)
            #expect(try sidecar.info("invalidation_keys") == "3")
        }
    }

    @Test func `a load that was held while its row changed is not what later readers get`() async throws {
        let database = try await TestDatabase.shared()
        try await tellChanges(of: database)
        try await withSidecar(settings(database)) { sidecar in
            let first = try sidecar.client()
            let hold = try await database.hold(7)
            try first.send("GET", "word:7")
            #expect(try await hold.isAwaited())
            try await database.run("update word set text = 'changed' where id = 7")
            #expect(try await eventually { try sidecar.info("invalidation_keys") == "1" })
            try await hold.release()
            // Its snapshot is older than the change.
            #expect(try first.receive() == .bulk("word 7"))
            #expect(try first.ask("GET", "word:7") == .bulk("changed"))
            #expect(try sidecar.statistics("word")["fenced"] == 1)
        }
    }

    @Test func `a batch that was held while one of its rows changed leaves that one out, and no other`() async throws {
        let database = try await TestDatabase.shared()
        try await tellChanges(of: database)
        let batch = """
            ttl: 1h
                batch:
                  sql: "select id, text from word, pg_advisory_xact_lock_shared(77) held where id = any($1)"
            """
        try await withSidecar(settings(database, group: batch)) { sidecar in
            let client = try sidecar.client()
            let hold = try await database.hold(77)
            try client.send("MGET", "word:11", "word:12", "word:13")
            #expect(try await hold.isAwaited())
            try await database.run("update word set text = 'changed' where id = 12")
            #expect(try await eventually { try sidecar.info("invalidation_keys") == "1" })
            try await hold.release()
            #expect(try client.receive() == .array([.bulk("word 11"), .bulk("word 12"), .bulk("word 13")]))
            let loads = try sidecar.statistics("word")["loads"] ?? 0
            #expect(
                try client.ask("MGET", "word:11", "word:12", "word:13")
                    == .array([.bulk("word 11"), .bulk("changed"), .bulk("word 13")]))
            #expect(try sidecar.statistics("word")["loads"] == loads + 1)
        }
    }

    @Test func `connections that are cut while rows change leave nothing stale behind`() async throws {
        let database = try await TestDatabase.shared()
        try await tellChanges(of: database)
        try await withSidecar(settings(database)) { sidecar in
            let client = try sidecar.client()
            let reader = try Asker(try sidecar.client()) { ["GET", "word:\(1 + $0 % 20)"] }
            for round in 1...10 {
                try await database.run("update word set text = 'round \(round)' where id <= 20")
                if round % 3 == 0 {
                    try await database.run(
                        "select pg_terminate_backend(pid) from pg_stat_activity "
                            + "where application_name = 'pgsidecar listen' and datname = current_database()")
                    try await database.run("update word set text = 'round \(round), unheard' where id <= 10")
                }
            }
            #expect(await isLive(sidecar))
            #expect(try await eventually { try sidecar.info("invalidation_losses") != "0" })
            #expect(await isLive(sidecar))
            // Behind all that was said before.
            let position = try await database.run("select pg_current_wal_insert_lsn()")
            for id in 1...20 {
                let text = try await database.run("select text from word where id = \(id)")
                #expect(try client.ask("PGS.GET", "word:\(id)", "AFTER", position) == .bulk(text))
                #expect(try client.ask("GET", "word:\(id)") == .bulk(text))
            }
            _ = try await reader.stop()
        }
    }

    @Test func `a listening server process that hangs is found by the heartbeat, and what it missed is not served`()
        async throws
    {
        let database = try await TestDatabase.shared()
        try await tellChanges(of: database)
        try await withSidecar(settings(database, heartbeat: "500ms")) { sidecar in
            let client = try sidecar.client()
            #expect(try client.ask("GET", "word:3") == .bulk("word 3"))
            let process = try #require(try await listeners(database).first)
            kill(process, SIGSTOP)
            try await database.run("update word set text = 'unheard' where id = 3")
            #expect(await eventually { (try? sidecar.info("invalidation_losses")) != "0" })
            #expect(try client.ask("GET", "word:3") == .bulk("unheard"))
            #expect(try sidecar.info("invalidation_last_loss").contains("said nothing for"))
            #expect(await isLive(sidecar))
            try await database.run("update word set text = 'heard' where id = 3")
            #expect(try await eventually { try client.ask("GET", "word:3") == .bulk("heard") })
            kill(process, SIGCONT)
        }
    }

    @Test func `while nobody tells of changes a group delivers and keeps nothing, and others go on`() async throws {
        let database = try await TestDatabase.shared()
        try await tellChanges(of: database)
        let role = "role_\(database.name)"
        try await database.run("create role \(role) login")
        let stream = ", url: \"\(database.url.replacing("user=postgres", with: "user=\(role)"))\""
        let other = "  other: { sql: \"select text from word where id = $1::int\", returns: value, ttl: 1h }"
        try await withSidecar(settings(database, stream: stream, more: other)) { sidecar in
            let client = try sidecar.client()
            for key in ["word:1", "other:1"] { #expect(try client.ask("GET", key) == .bulk("word 1")) }
            try await database.run(
                """
                alter role \(role) nologin;
                select pg_terminate_backend(pid) from pg_stat_activity where usename = '\(role)'
                """)
            #expect(await state(of: sidecar, is: "suspect"))
            let loads = try sidecar.statistics("word")["loads"] ?? 0
            for text in ["word 1", "unheard", "unheard, too"] {
                try await database.run("update word set text = '\(text)' where id = 1")
                #expect(try client.ask("GET", "word:1") == .bulk(text))
                #expect(try client.ask("GET", "other:1") == .bulk("word 1"))
            }
            #expect(try sidecar.statistics("word")["loads"] == loads + 3)
            #expect(try sidecar.statistics("word")["entries"] == 0)
            #expect(try sidecar.statistics("other")["loads"] == 1)
            try await database.run("alter role \(role) login")
            #expect(await isLive(sidecar))
            #expect(try client.ask("GET", "word:1") == .bulk("unheard, too"))
            #expect(try sidecar.statistics("word")["entries"] == 1)
            #expect(try sidecar.info("invalidation_losses") == "1")
        }
    }

    @Test func `a sidecar starts without a database, keeps nothing until changes are heard of, and keeps then`()
        async throws
    {
        let database = try await TestDatabase.fresh()
        try await tellChanges(of: database)
        await database.server.stop()
        try await withSidecar(settings(database)) { sidecar in
            #expect(try sidecar.info("invalidation_state") == "suspect")
            #expect(try sidecar.client().ask("GET", "word:1").isError)
            try await database.server.start()
            #expect(await isLive(sidecar))
            let client = try sidecar.client()
            #expect(try await eventually { try client.ask("GET", "word:1") == .bulk("word 1") })
            try await database.run("update word set text = 'heard' where id = 1")
            #expect(try await eventually { try client.ask("GET", "word:1") == .bulk("heard") })
            // And a restart.
            await database.server.kill()
            #expect(await state(of: sidecar, is: "suspect"))
            try await database.server.start()
            try await database.run("update word set text = 'after' where id = 1")
            #expect(await isLive(sidecar))
            #expect(try await eventually { try client.ask("GET", "word:1") == .bulk("after") })
        }
        await database.server.remove()
    }

    @Test func `with serve_until_ttl hits go on while the database is away, and what was missed is flushed after`()
        async throws
    {
        let database = try await TestDatabase.fresh()
        try await tellChanges(of: database)
        try await withSidecar(settings(database, stream: ", on_stream_loss: serve_until_ttl")) { sidecar in
            let client = try sidecar.client()
            #expect(try client.ask("GET", "word:1") == .bulk("word 1"))
            await database.server.stop()
            #expect(await state(of: sidecar, is: "suspect"))
            #expect(try client.ask("GET", "word:1") == .bulk("word 1"))
            try await database.server.start()
            #expect(await isLive(sidecar))
            #expect(try sidecar.statistics("word")["entries"] == 0)
            #expect(try await eventually { try client.ask("GET", "word:1") == .bulk("word 1") })
        }
        await database.server.remove()
    }

    @Test func `with on_change reload a changed key that was in memory is there again before anybody asks`()
        async throws
    {
        let database = try await TestDatabase.shared()
        try await tellChanges(of: database)
        try await withSidecar(settings(database, group: "on_change: reload")) { sidecar in
            let client = try sidecar.client()
            #expect(try client.ask("GET", "word:1") == .bulk("word 1"))
            try await database.run("update word set text = 'changed' where id in (1, 2)")
            #expect(await sidecar.counts("reloads", 1, of: "word"))
            #expect(await sidecar.counts("entries", 1, of: "word"))
            #expect(try client.ask("PGS.PEEK", "word:1") == .bulk("changed"))
            #expect(try client.ask("PGS.PEEK", "word:2") == .null)
        }
    }

    @Test func `what others say on the channel can make entries stale and nothing else`() async throws {
        let database = try await TestDatabase.shared()
        try await tellChanges(of: database)
        try await withSidecar(settings(database)) { sidecar in
            let client = try sidecar.client()
            #expect(try client.ask("GET", "word:1") == .bulk("word 1"))
            // The longest payloads there are, short ones, and none; one of them comes twice, and PostgreSQL says it once.
            try await database.run(
                """
                select count(pg_notify('pgsidecar', repeat(chr(97 + i % 26), 7990) || i)) from generate_series(1, 2000) i;
                select count(pg_notify('pgsidecar', i::text)) from generate_series(1, 50000) i;
                select pg_notify('pgsidecar', ''), pg_notify('pgsidecar', '1')
                """)
            #expect(try await eventually { Int(try sidecar.info("invalidation_messages_ignored")) ?? 0 >= 52_001 })
            #expect(try sidecar.info("invalidation_losses") == "0")
            let hits = try sidecar.statistics("word")["hits"] ?? 0
            #expect(try client.ask("GET", "word:1") == .bulk("word 1"))
            #expect(try sidecar.statistics("word")["hits"] == hits + 1)
            try await database.run("update word set text = 'changed' where id = 1")
            #expect(try await eventually { try client.ask("GET", "word:1") == .bulk("changed") })
        }
    }

    // MARK: Poolers

    private func url(_ pooler: PgBouncer, _ database: TestDatabase) -> String {
        "\(pooler.url)&dbname=\(database.name)"
    }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: PgBouncer.program), "PgBouncer is not installed"))
    func `a pooler that swallows notifications is told of, with what to set, and with that set it does no harm`()
        async throws
    {
        let database = try await TestDatabase.shared()
        try await tellChanges(of: database)
        let pooler = try await PgBouncer(before: database.server)
        let through = url(pooler, database)
        try await withSidecar(settings(database, url: through, heartbeat: "500ms")) { sidecar async throws in
            #expect(try sidecar.info("invalidation_state") == "suspect")
            #expect(try sidecar.info("invalidation_last_loss").contains("set invalidation.url"))
            #expect(try sidecar.client().ask("GET", "word:1") == .bulk("word 1"))
            #expect(try sidecar.statistics("word")["entries"] == 0)
            #expect(sidecar.process.errors.contains("nobody tells of changes in the database"))
        }
        for (stream, code) in [("", RunningProgram.End.code(78)), (", url: \"\(database.url)\"", .code(0))] {
            let folder = temporaryPath()
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            // It tries once.
            try settings(database, url: through, stream: stream, heartbeat: "500ms", connectTimeout: "100s").write(
                toFile: "\(folder)/settings.yaml", atomically: true, encoding: .utf8)
            let check = try RunningProgram(
                [pgsidecarPath, "check", "--config", "\(folder)/settings.yaml", "--connect"], in: folder)
            #expect(await check.end() == code, "\(check.errors)")
            if stream.isEmpty { #expect(check.errors.contains("set invalidation.url")) }
            try? FileManager.default.removeItem(atPath: folder)
        }
        let refused = try RunningSidecar(
            settings(database, url: through, heartbeat: "500ms", connectTimeout: "100s"), options: ["--strict"])
        #expect(await refused.process.end() == .code(78))
        #expect(refused.process.errors.contains("set invalidation.url"))
        refused.remove()
        try await withSidecar(settings(database, url: through, stream: ", url: \"\(database.url)\"")) { sidecar in
            #expect(try sidecar.info("invalidation_state") == "live")
            let client = try sidecar.client()
            #expect(try client.ask("GET", "word:1") == .bulk("word 1"))
            try await database.run("update word set text = 'changed' where id = 1")
            #expect(try await eventually { try client.ask("GET", "word:1") == .bulk("changed") })
        }
        await pooler.stop()
    }

    // MARK: Own writes

    @Test func `who asks behind the position of its commit reads what it wrote, however much else is told`()
        async throws
    {
        let database = try await TestDatabase.shared()
        try await tellChanges(of: database)
        let other = "  other: { sql: \"select text from word where id = $1::int\", returns: value, ttl: 1h }"
        try await withSidecar(settings(database, more: other)) { sidecar in
            let client = try sidecar.client()
            let noise = Task { try await database.run("update word set number = number + 1 where id > 100; commit") }
            for round in 1...60 {
                let id = 1 + round % 5
                _ = try client.ask("GET", "word:\(id)")
                let position = try await database.run(
                    "update word set text = 'round \(round)' where id = \(id); commit; select pg_current_wal_insert_lsn()"
                )
                let text = Reply.bulk("round \(round)")
                switch round % 3 {
                case 0: #expect(try client.ask("PGS.GET", "word:\(id)", "AFTER", position) == text)
                case 1:
                    #expect(
                        try client.ask("PGS.MGET", "word:\(id)", "other:\(id)", "AFTER", position)
                            == .array([text, text]))
                case _:
                    #expect(try client.ask("PGS.GET", "other:\(id)", "AFTER", position) == text)
                    #expect(try client.ask("PGS.GET", "word:\(id)", "AFTER", position) == text)
                }
            }
            _ = try? await noise.value
            // Applied is applied: no question to the database, no load.
            let loads = try sidecar.statistics("word")["loads"]
            let position = try sidecar.info("invalidation_applied_lsn")
            #expect(try client.ask("PGS.GET", "word:1", "AFTER", position).isError == false)
            #expect(try sidecar.statistics("word")["loads"] == loads)
        }
    }

    @Test func `a position that the server has not reached is waited for no longer than load_timeout`() async throws {
        let database = try await TestDatabase.shared()
        try await tellChanges(of: database)
        let short = settings(database).replacing("load_timeout: 5m", with: "load_timeout: 3s")
        try await withSidecar(short) { sidecar in
            let client = try sidecar.client()
            #expect(try client.ask("GET", "word:1") == .bulk("word 1"))
            let began = Instant.now()
            #expect(try client.ask("PGS.GET", "word:1", "AFTER", "FFFFFFFF/FFFFFFFF") == .bulk("word 1"))
            #expect(Instant.now() - began >= .seconds(3))
            #expect(try sidecar.statistics("word")["loads"] == 2)
            #expect(try client.ask("PGS.GET", "word:1", "AFTER", "0/0/0").isError)
        }
    }

    // MARK: Events

    @Test func `subscribers are told when changes of a group are no longer heard of, and when they are again`()
        async throws
    {
        let database = try await TestDatabase.shared()
        try await tellChanges(of: database)
        try await withSidecar(settings(database)) { sidecar in
            let subscriber = try sidecar.client()
            _ = try subscriber.ask("SUBSCRIBE", "__keyspace@0__:word")
            try await database.run(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                    + "where application_name = 'pgsidecar listen' and datname = current_database()")
            for event in ["suspect", "live"] {
                #expect(
                    try subscriber.receive()
                        == .array([.bulk("message"), .bulk("__keyspace@0__:word"), .bulk(event)]))
            }
        }
    }
}
