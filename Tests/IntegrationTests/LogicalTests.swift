import Foundation
import Glibc
import Groundwork
import PrivateDatabase
import TestSupport
import Testing

/// What the log tells, from the commit to the client's next answer.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct LogicalTests {
    private func database(_ settings: [String: String] = [:]) async throws -> TestDatabase {
        let own = ["wal_level": "logical", "synchronous_commit": "on"]
        let database = try await TestDatabase.fresh(own.merging(settings) { $1 })
        try await database.run("create publication pgsidecar for table word")
        return database
    }

    private func settings(_ database: TestDatabase, heartbeat: String = "30s", more: String = "") -> String {
        """
        database: { url: "\(database.url)", connections: 4, connect_timeout: 2s }
        threads: 2
        invalidation: { source: logical, heartbeat: \(heartbeat) }
        groups:
          word:
            sql: "select text from word where id = $1::int"
            returns: value
            ttl: 1h
            invalidate_on: [{ table: public.word, key: [id] }]
        \(more)
        """
    }

    private func state(of sidecar: RunningSidecar, is state: String) async -> Bool {
        await eventually { (try? sidecar.info("invalidation_state")) == state }
    }

    private func walsender(_ database: TestDatabase) async throws -> pid_t? {
        let sql = "select pid from pg_stat_activity where application_name = 'pgsidecar replication'"
        return pid_t(try await database.run(sql).trimmingCharacters(in: .whitespacesAndNewlines))
    }

    @Test func `an insert, an update, a new key and a delete are what the next GET sees`() async throws {
        let database = try await database()
        try await withSidecar(settings(database)) { sidecar in
            #expect(await state(of: sidecar, is: "live"))
            let client = try sidecar.client()
            #expect(try client.ask("GET", "word:5000") == .null)
            #expect(try client.ask("GET", "word:5001") == .null)
            for (sql, key, reply) in [
                ("insert into word values (5000, 'new', 0)", "word:5000", Reply.bulk("new")),
                ("update word set text = 'newer' where id = 5000", "word:5000", .bulk("newer")),
                ("update word set id = 5001 where id = 5000", "word:5001", .bulk("newer")),
                ("select 1", "word:5000", .null), ("delete from word where id = 5001", "word:5001", .null),
            ] {
                try await database.run(sql)
                #expect(try await eventually { try client.ask("GET", key) == reply }, "\(sql)")
            }
        }
        await database.server.remove()
    }

    @Test
    func `while a commit waits for a standby the old value is right, and once it is released it never comes back`()
        async throws
    {
        let database = try await database()
        try await withSidecar(settings(database)) { sidecar in
            #expect(await state(of: sidecar, is: "live"))
            let client = try sidecar.client()
            #expect(try client.ask("GET", "word:1") == .bulk("word 1"))
            try await database.run("alter system set synchronous_standby_names = 'nobody'")
            try await database.run("select pg_reload_conf()")
            #expect(
                try await eventually { try await database.run("show synchronous_standby_names").hasPrefix("nobody") })
            let writing = Task { try await database.run("update word set text = 'new' where id = 1") }
            #expect(
                try await eventually {
                    try await database.run("select count(*) from pg_stat_activity where wait_event = 'SyncRep'")
                        .hasPrefix("1")
                })
            // The log has it: what is behind it in the log has come.
            #expect(try client.ask("GET", "word:2") == .bulk("word 2"))
            try await database.run("set synchronous_commit = local; update word set text = 'two' where id = 2")
            #expect(try await eventually { try client.ask("GET", "word:2") == .bulk("two") })
            #expect(try client.ask("DEL", "word:1") == .integer(1))
            #expect(try client.ask("GET", "word:1") == .bulk("word 1"))
            let asker = try Asker(sidecar.client()) { _ in ["GET", "word:1"] }
            try await database.run("alter system set synchronous_standby_names = ''")
            try await database.run("select pg_reload_conf()")
            _ = try await writing.value
            #expect(await eventually { asker.last?.reply == .bulk("new") })
            let replies = try await asker.stop().map(\.reply)
            let first = replies.firstIndex(of: .bulk("new")) ?? 0
            #expect(replies[..<first].allSatisfy { $0 == .bulk("word 1") })
            #expect(replies[first...].allSatisfy { $0 == .bulk("new") })
        }
        await database.server.remove()
    }

    @Test func `a walsender that is killed or stopped makes the stream suspect, and nothing of that time is kept`()
        async throws
    {
        let database = try await database()
        try await withSidecar(settings(database, heartbeat: "300ms")) { sidecar in
            #expect(await state(of: sidecar, is: "live"))
            let client = try sidecar.client()
            for (round, signal) in [SIGTERM, SIGSTOP].enumerated() {
                let sender = try #require(try await walsender(database))
                #expect(try client.ask("GET", "word:1").isError == false)
                let losses = try sidecar.info("invalidation_losses")
                kill(sender, signal)
                #expect(await eventually { (try? sidecar.info("invalidation_losses")) != losses })
                try await database.run("update word set text = 'round \(round)' where id = 1")
                #expect(try await eventually { try client.ask("GET", "word:1") == .bulk("round \(round)") })
                if signal == SIGSTOP { kill(sender, SIGCONT) }
                #expect(await state(of: sidecar, is: "live"))
                try await database.run("update word set text = 'after \(round)' where id = 1")
                #expect(try await eventually { try client.ask("GET", "word:1") == .bulk("after \(round)") })
            }
        }
        await database.server.remove()
    }

    @Test func `a group whose key the log does not tell stores nothing, and the others do`() async throws {
        let database = try await database()
        try await database.run("create table pair(id int primary key, name text); insert into pair values (1, 'a')")
        try await database.run("alter publication pgsidecar add table pair")
        let more = """
              pair:
                sql: "select id::text from pair where name = $1"
                returns: value
                ttl: 1h
                invalidate_on: [{ table: public.pair, key: [name] }]
            """
        try await withSidecar(settings(database, heartbeat: "3s", more: more)) { sidecar in
            #expect(await state(of: sidecar, is: "live"))
            #expect(try sidecar.info("invalidation_refused_groups") == "pair")
            #expect(sidecar.process.errors.contains("REPLICA IDENTITY FULL"))
            let client = try sidecar.client()
            for _ in 0..<3 {
                #expect(try client.ask("GET", "pair:a") == .bulk("1"))
                #expect(try client.ask("GET", "word:1") == .bulk("word 1"))
            }
            #expect(try sidecar.statistics("pair")["loads"] == 3)
            #expect(try sidecar.statistics("word")["loads"] == 1)
            try await database.run("alter table pair replica identity full")
            #expect(await eventually { (try? sidecar.info("invalidation_refused_groups")) == "" })
            #expect(await state(of: sidecar, is: "live"))
            #expect(try client.ask("GET", "pair:a") == .bulk("1"))
            try await database.run("update pair set name = 'b'")
            #expect(try await eventually { try client.ask("GET", "pair:a") == .null })
            #expect(try client.ask("GET", "pair:b") == .bulk("1"))
        }
        await database.server.remove()
    }

    @Test func `who gives the log's position reads his own writes, also those that are not yet flushed`() async throws {
        let database = try await database()
        try await withSidecar(settings(database)) { sidecar in
            #expect(await state(of: sidecar, is: "live"))
            let client = try sidecar.client()
            for commit in ["on", "off"] {
                for number in 1...10 {
                    _ = try client.ask("GET", "word:1")
                    try await database.run(
                        "set synchronous_commit = \(commit); update word set text = '\(commit) \(number)' where id = 1")
                    let position = try await database.run("select pg_current_wal_insert_lsn()")
                        .trimmingCharacters(in: .whitespacesAndNewlines)
                    #expect(try client.ask("PGS.GET", "word:1", "AFTER", position) == .bulk("\(commit) \(number)"))
                }
            }
        }
        await database.server.remove()
    }

    @Test func `a transaction that began before keeps nobody from being served, and nothing is kept until it ends`()
        async throws
    {
        let database = try await database()
        try await database.run("begin; update word set text = 'held' where id = 9; prepare transaction 'before'")
        try await withSidecar(settings(database)) { sidecar in
            #expect(try sidecar.info("invalidation_state") == "suspect")
            #expect(try sidecar.info("invalidation_last_loss").contains("pg_prepared_xacts"))
            let client = try sidecar.client()
            for _ in 0..<2 { #expect(try client.ask("GET", "word:9") == .bulk("word 9")) }
            #expect(try sidecar.statistics("word")["loads"] == 2)
            try await database.run("commit prepared 'before'")
            #expect(await state(of: sidecar, is: "live"))
            for _ in 0..<2 { #expect(try client.ask("GET", "word:9") == .bulk("held")) }
            #expect(try sidecar.statistics("word")["loads"] == 3)
        }
        await database.server.remove()
    }
}
