import Foundation
import Glibc
import Groundwork
import PrivateDatabase
import TestSupport
import Testing

/// Settings that are read again while clients ask.
@Suite(.timeLimit(.minutes(10)))
struct ReloadTests {
    private func settings(
        _ database: TestDatabase, sql: String = "select text from word where id = $1", group: String = "ttl: 1h",
        top: String = "", more: String = ""
    ) -> String {
        """
        database: { url: "\(database.url)", connections: 4, connect_timeout: 60s }
        threads: 2
        \(top)
        groups:
          word: { sql: "\(sql)", returns: value, load_timeout: 5m, \(group) }
        \(more)
        """
    }

    // MARK: What stays, goes and comes

    @Test func `rules change at once, and what is in memory stays`() async throws {
        let database = try await TestDatabase.shared()
        try await withSidecar(settings(database)) { sidecar in
            let client = try sidecar.client()
            for id in 1...50 { #expect(try client.ask("GET", "word:\(id)") == .bulk("word \(id)")) }
            let reply = try sidecar.reload(
                settings(database, group: "ttl: 100s, max_loads: 3", top: "memory: 64MiB\nlog: { level: debug }"))
            let text = try #require(reply.text)
            for path in ["memory", "log.level", "groups.word.ttl", "groups.word.max_loads"] {
                #expect(text.contains(path), "\(text)")
            }
            #expect(try client.ask("GET", "word:7") == .bulk("word 7"))
            #expect(try sidecar.statistics("word")["loads"] == 50)
            guard case .integer(let left) = try client.ask("TTL", "word:7") else { throw Failure("no TTL") }
            #expect(left <= 100)
            #expect(try sidecar.info("maxmemory") == "\(64 << 20)")
            #expect(try sidecar.info("settings_reloads") == "1")
            #expect(try sidecar.reload(settings(database)).text?.contains("groups.word.ttl") == true)
            #expect(try sidecar.info("maxmemory") == "\(256 << 20)")
        }
    }

    @Test func `with less memory entries go until the rest fits`() async throws {
        let database = try await TestDatabase.shared()
        let long = "select repeat(text, 1000) from word where id = $1"
        try await withSidecar(settings(database, sql: long, top: "memory: 64MiB")) { sidecar in
            let client = try sidecar.client()
            for id in 1...1000 { _ = try client.ask("GET", "word:\(id)") }
            let before = Int(try sidecar.info("used_memory_cache")) ?? 0
            #expect(before > 4 << 20)
            #expect(try !sidecar.reload(settings(database, sql: long, top: "memory: 2MiB")).isError)
            let after = Int(try sidecar.info("used_memory_cache")) ?? .max
            #expect(after <= 2 << 20)
            #expect(try sidecar.statistics("word")["evictions"] ?? 0 > 0)
            #expect(try client.ask("DBSIZE") != .integer(0))
        }
    }

    @Test func `a group with another query begins empty, one that is gone goes, and a new one comes`() async throws {
        let database = try await TestDatabase.shared()
        let other = "  other: { sql: \"select number from word where id = $1\", returns: value }"
        try await withSidecar(settings(database, more: other)) { sidecar in
            let client = try sidecar.client()
            #expect(try client.ask("MGET", "word:7", "other:7") == .array([.bulk("word 7"), .bulk("7")]))
            let third = "  third: { sql: \"select * from word where id = $1\" }"
            let reply = try sidecar.reload(
                settings(database, sql: "select upper(text) from word where id = $1", more: third))
            let text = try #require(reply.text)
            #expect(
                text.contains("new groups: third") && text.contains("gone: other") && text.contains("flushed: word"))
            #expect(try client.ask("GET", "word:7") == .bulk("WORD 7"))
            #expect(try client.ask("GET", "other:7").isError)
            #expect(try client.ask("HGET", "third:7", "number") == .bulk("7"))
            #expect(await eventually { (try? sidecar.info("database_connections_ready")) == "4" })
        }
    }

    // MARK: Mistakes

    @Test func `a mistake is told with its line, and everything stays as it was`() async throws {
        let database = try await TestDatabase.shared()
        try await withSidecar(settings(database)) { sidecar in
            let client = try sidecar.client()
            #expect(try client.ask("GET", "word:7") == .bulk("word 7"))
            for (mistake, hint) in [
                (settings(database, group: "ttl: 60"), "pgsidecar.yaml:6:"),
                (settings(database, sql: "select nothing from word where id = $1"), "pgsidecar.yaml:6:"),
                (settings(database, sql: "delete from word"), "only reads"), ("groups: [", "not valid YAML"),
            ] {
                let reply = try sidecar.reload(mistake)
                #expect(reply.isError && reply.text?.contains(hint) == true, "\(reply)")
            }
            #expect(await eventually { sidecar.process.errors.contains("the settings stay as they were") })
            #expect(try client.ask("GET", "word:7") == .bulk("word 7"))
            #expect(try sidecar.statistics("word")["loads"] == 1)
            #expect(try sidecar.info("settings_reloads_failed") == "4")
            #expect(try sidecar.info("settings_last_reload_error").contains("YAML"))
            // And a right one is taken again.
            #expect(try !sidecar.reload(settings(database, sql: "select number from word where id = $1")).isError)
            #expect(try client.ask("GET", "word:7") == .bulk("7"))
        }
    }

    @Test func `what takes a restart is named, and stays`() async throws {
        let database = try await TestDatabase.shared()
        try await withSidecar(settings(database)) { sidecar in
            let changed = settings(database, top: "verify: { bound: 3s }").replacing("threads: 2", with: "threads: 1")
            let text = try sidecar.reload(changed).text
            #expect(text == "nothing changed; a restart is needed for: threads, verify.bound")
            #expect(try sidecar.info("threads") == "2")
            #expect(try sidecar.info("settings_waiting_for_restart") == "threads,verify.bound")
        }
    }

    @Test func `the number of database connections goes up and down`() async throws {
        let database = try await TestDatabase.shared()
        try await withSidecar(settings(database)) { sidecar in
            for count in [7, 2, 5] {
                let changed = settings(database).replacing("connections: 4", with: "connections: \(count)")
                let reply = try sidecar.reload(changed)
                #expect(reply.text == "reloaded; changed: database.connections")
                #expect(try sidecar.info("database_connections_wanted") == "\(count)")
                #expect(await eventually { (try? sidecar.info("database_connections_ready")) == "\(count)" })
                #expect(try await eventually { try await database.sessions() == count })
            }
        }
    }

    // MARK: Under load

    private static func asker(_ number: Int, of sidecar: RunningSidecar) throws -> Asker {
        try Asker(sidecar.client()) { count in
            let id = (count * 7 + number) % 2000 + 1
            return count % 5 == 0 ? ["MGET", "word:\(id)", "word:\(id % 2000 + 1)"] : ["GET", "word:\(id)"]
        }
    }

    /// What is no word in either writing.
    private static func wrong(_ answers: [Asker.Answer]) -> [Reply] {
        answers.map(\.reply).filter { reply in
            guard case .array(let parts) = reply else { return reply.text?.lowercased().hasPrefix("word ") != true }
            return !parts.allSatisfy { $0.text?.lowercased().hasPrefix("word ") == true }
        }
    }

    @Test func `no request fails over a hundred reloads`() async throws {
        let database = try await TestDatabase.shared()
        let queries = ["select text from word where id = $1", "select upper(text) from word where id = $1"]
        func variant(_ number: Int) -> String {
            settings(
                database, sql: queries[number / 5 % 2], group: "ttl: \(number % 3 == 0 ? "1s" : "1h")",
                top: "memory: \(number % 2 == 0 ? 64 : 8)MiB\nlog: { level: \(number % 7 == 0 ? "debug" : "info") }",
                more: number % 4 == 0
                    ? "  number: { sql: \"select number from word where id = $1\", returns: value }" : ""
            ).replacing("connections: 4", with: "connections: \(number % 10 < 5 ? 4 : 6)")
        }
        try await withSidecar(variant(1)) { sidecar in
            let askers = try (0..<4).map { try Self.asker($0, of: sidecar) }
            let administrator = try sidecar.client()
            for number in 1...100 {
                try sidecar.rewrite(variant(number))
                let reply = try administrator.ask("PGS.RELOAD")
                #expect(!reply.isError, "\(reply)")
            }
            #expect(try sidecar.info("settings_reloads") == "100")
            for asker in askers {
                let answers = try await asker.stop()
                #expect(answers.count > 100)
                let wrong = Self.wrong(answers)
                #expect(wrong.isEmpty, "\(wrong.prefix(3))")
            }
            // What the last reload says is what is answered now.
            #expect(try sidecar.client().ask("GET", "word:7") == .bulk("word 7"))
            #expect(await eventually { (try? sidecar.info("database_connections_ready")) == "4" })
            #expect(try await eventually { try await database.sessions() == 4 })
        }
    }

    @Test func `a load that is under way when its group gets another query is answered, and not kept`() async throws {
        let database = try await TestDatabase.shared()
        try await withSidecar(settings(database, sql: TestDatabase.heldWord())) { sidecar in
            let hold = try await database.hold(7)
            let client = try sidecar.client()
            try client.send("GET", "word:7")
            #expect(try await hold.isAwaited())
            #expect(try !sidecar.reload(settings(database, sql: TestDatabase.heldWord("upper(text)"))).isError)
            try await hold.release()
            #expect(try client.receive() == .bulk("word 7"))
            #expect(try client.ask("GET", "word:7") == .bulk("WORD 7"))
        }
    }

    // MARK: Changes of tables

    private func told(_ database: TestDatabase, sql: String, more: String = "") -> String {
        settings(
            database, sql: sql, group: "ttl: 1h, invalidate_on: [{ table: public.word, key: [id] }]",
            top: "invalidation: { source: notify, heartbeat: 30s }", more: more)
    }

    private func tellChanges(of database: TestDatabase) async throws {
        try await IntegrationTests.tellChanges(by: told(database, sql: "select text from word where id = $1"))
    }

    @Test func `a changed group hears of changes as before, and the others keep what they hold`() async throws {
        let database = try await TestDatabase.shared()
        try await tellChanges(of: database)
        let kept = """
              kept:
                sql: "select number from word where id = $1"
                returns: value
                ttl: 1h
                invalidate_on: [{ table: public.word, key: [id] }]
            """
        try await withSidecar(told(database, sql: "select text from word where id = $1", more: kept)) { sidecar in
            let client = try sidecar.client()
            #expect(try client.ask("MGET", "word:7", "kept:7") == .array([.bulk("word 7"), .bulk("7")]))
            let upper = "select upper(text) from word where id = $1"
            #expect(try !sidecar.reload(told(database, sql: upper, more: kept)).isError)
            #expect(try client.ask("GET", "kept:7") == .bulk("7"))
            #expect(try sidecar.statistics("kept")["loads"] == 1)
            #expect(try client.ask("GET", "word:7") == .bulk("WORD 7"))
            #expect(try sidecar.statistics("word")["entries"] == 1)
            try await database.run("update word set text = 'new', number = 8 where id = 7")
            #expect(try await eventually { try client.ask("GET", "word:7") == .bulk("NEW") })
            #expect(try await eventually { try client.ask("GET", "kept:7") == .bulk("8") })
            #expect(try sidecar.info("invalidation_losses") == "0")
        }
    }

    @Test func `the first group that hears of changes may come with a reload`() async throws {
        let database = try await TestDatabase.shared()
        try await tellChanges(of: database)
        let sql = "select text from word where id = $1"
        try await withSidecar(
            settings(database, sql: sql, top: "invalidation: { source: notify, heartbeat: 30s }")
        ) { sidecar in
            let client = try sidecar.client()
            #expect(try sidecar.info("invalidation_state") == "off")
            #expect(try !sidecar.reload(told(database, sql: sql)).isError)
            #expect(await eventually { (try? sidecar.info("invalidation_state")) == "live" })
            #expect(try client.ask("GET", "word:7") == .bulk("word 7"))
            try await database.run("update word set text = 'new' where id = 7")
            #expect(try await eventually { try client.ask("GET", "word:7") == .bulk("new") })
        }
    }

    @Test func `a group whose table has no trigger stores nothing after a reload either`() async throws {
        let database = try await TestDatabase.shared()
        try await tellChanges(of: database)
        try await database.run("create table mute(id int primary key, text text); insert into mute values (1, 'one')")
        let mute = """
              mute:
                sql: "select text from mute where id = $1"
                returns: value
                ttl: 1h
                invalidate_on: [{ table: public.mute, key: [id] }]
            """
        let sql = "select text from word where id = $1"
        try await withSidecar(told(database, sql: sql)) { sidecar in
            let client = try sidecar.client()
            #expect(try client.ask("GET", "word:7") == .bulk("word 7"))
            #expect(try !sidecar.reload(told(database, sql: sql, more: mute)).isError)
            #expect(await eventually { (try? sidecar.info("invalidation_refused_groups")) == "mute" })
            #expect(try client.ask("GET", "mute:1") == .bulk("one"))
            #expect(try sidecar.statistics("mute")["entries"] == 0)
            #expect(try client.ask("GET", "word:7") == .bulk("word 7"))
            #expect(try sidecar.statistics("word")["loads"] == 1)
        }
    }

    @Test func `a client that keeps a cache of its own is told when a group's query changed`() async throws {
        let database = try await TestDatabase.shared()
        try await withSidecar(settings(database)) { sidecar in
            let client = try sidecar.client()
            _ = try client.ask("HELLO", "3")
            #expect(try client.ask("CLIENT", "TRACKING", "ON") == .simpleString("OK"))
            #expect(try client.ask("GET", "word:7") == .bulk("word 7"))
            #expect(try !sidecar.reload(settings(database, sql: "select number from word where id = $1")).isError)
            #expect(try client.receive() == .push([.bulk("invalidate"), .array([.bulk("word:7")])]))
            #expect(try client.ask("GET", "word:7") == .bulk("7"))
            #expect(try !sidecar.reload(settings(database)).isError)
            #expect(try client.receive() == .push([.bulk("invalidate"), .array([.bulk("word:7")])]))
        }
    }

    @Test func `with source logical a reload has the stream go on, or begin anew, and no change is missed`()
        async throws
    {
        let database = try await TestDatabase.fresh(["wal_level": "logical", "synchronous_commit": "on"])
        try await database.run("create table other(id int primary key, text text); insert into other values (1, 'one')")
        try await database.run("create publication pgsidecar for table word, other")
        let other = """
              other:
                sql: "select text from other where id = $1"
                returns: value
                ttl: 1h
                invalidate_on: [{ table: public.other, key: [id] }]
            """
        func text(_ sql: String, ttl: String = "1h", more: String = "") -> String {
            settings(
                database, sql: sql, group: "ttl: \(ttl), invalidate_on: [{ table: public.word, key: [id] }]",
                top: "invalidation: { source: logical, heartbeat: 30s }", more: more)
        }
        let sql = "select text from word where id = $1"
        try await withSidecar(text(sql)) { sidecar in
            let client = try sidecar.client()
            func changes(_ key: String, _ table: String, to value: String) async throws {
                #expect(await eventually { (try? sidecar.info("invalidation_state")) == "live" })
                #expect(await eventually { (try? sidecar.info("invalidation_refused_groups")) == "" })
                _ = try client.ask("GET", "\(key):1")
                try await database.run("update \(table) set text = '\(value)' where id = 1")
                #expect(try await eventually { try client.ask("GET", "\(key):1") == .bulk(value) })
            }
            try await changes("word", "word", to: "first")
            #expect(try client.ask("GET", "word:7") == .bulk("word 7"))
            // Other rules of time: the same stream, and what is in memory stays.
            let loads = try sidecar.statistics("word")["loads"]
            #expect(try !sidecar.reload(text(sql, ttl: "2h")).isError)
            #expect(try client.ask("GET", "word:7") == .bulk("word 7"))
            #expect(try sidecar.statistics("word")["loads"] == loads)
            #expect(try sidecar.info("invalidation_losses") == "0")
            try await changes("word", "word", to: "second")
            // Another table: the stream begins anew.
            #expect(try !sidecar.reload(text(sql, more: other)).isError)
            try await changes("word", "word", to: "third")
            try await changes("other", "other", to: "fourth")
            // Another query: the group begins empty.
            #expect(try !sidecar.reload(text("select upper(text) from word where id = $1", more: other)).isError)
            #expect(try client.ask("GET", "word:1") == .bulk("THIRD"))
            try await database.run("update word set text = 'fifth' where id = 1")
            #expect(try await eventually { try client.ask("GET", "word:1") == .bulk("FIFTH") })
            try await changes("other", "other", to: "sixth")
        }
        await database.server.remove()
    }

    // MARK: Connections

    @Test func `another password is taken by a reload, and a wrong one changes nothing`() async throws {
        let database = try await TestDatabase.fresh()
        try await database.run("create role reader login password 'old'; grant select on word to reader")
        // Whoever is a reader has to say it; the superuser of the tests is trusted as before.
        let access = "\(database.server.folder)/data/pg_hba.conf"
        let trusted = try String(contentsOfFile: access, encoding: .utf8)
        try ("local all reader scram-sha-256\n" + trusted).write(toFile: access, atomically: false, encoding: .utf8)
        await database.server.stop()
        try await database.server.start()
        func text(_ password: String) -> String {
            settings(database, group: "ttl: 1ms").replacing(
                "url: \"\(database.url)\"", with: "url: \"\(database.url)&user=reader\", password: \"\(password)\"")
        }
        try await withSidecar(text("old")) { sidecar in
            let asker = try Self.asker(1, of: sidecar)
            try await database.run("alter role reader password 'new'")
            let refused = try sidecar.reload(text("wrong"))
            #expect(refused.isError && refused.text?.contains("password authentication failed") == true, "\(refused)")
            #expect(refused.text?.contains("wrong") == false)
            let reply = try sidecar.reload(text("new"))
            #expect(reply.text == "reloaded; changed: database.password", "\(reply)")
            #expect(await eventually { (try? sidecar.info("database_connections_ready")) == "4" })
            let renewal = try sidecar.client().ask("PGS.RECONNECT")
            #expect(renewal.text?.hasSuffix("connections were made anew") == true, "\(renewal)")
            let answers = try await asker.stop()
            #expect(!answers.isEmpty)
            #expect(Self.wrong(answers).isEmpty, "\(Self.wrong(answers).prefix(3))")
        }
        await database.server.remove()
    }

    @Test func `connections are made anew without failing a load, and where they lead is told`() async throws {
        let database = try await TestDatabase.shared()
        try await withSidecar(settings(database, group: "ttl: 1ms")) { sidecar in
            let askers = try (0..<3).map { try Self.asker($0, of: sidecar) }
            let administrator = try sidecar.client()
            for _ in 0..<5 {
                // It counts those that are ready when it is done, and one may not be yet on a busy machine.
                #expect(try await eventually { try sidecar.info("database_connections_ready") == "4" })
                let answer = try administrator.ask("PGS.RECONNECT")
                #expect(answer.text?.hasSuffix(" connections were made anew") == true, "\(answer)")
            }
            for asker in askers {
                let wrong = Self.wrong(try await asker.stop())
                #expect(wrong.isEmpty, "\(wrong.prefix(3))")
            }
            #expect(try await eventually { try sidecar.info("database_connections_made") == "24" })
            #expect(try sidecar.info("database_connections_lost") == "0")
            #expect(try sidecar.info("database_hosts").hasSuffix("=4"))
            #expect(try await eventually { try await database.sessions() == 4 })
        }
    }

    @Test func `a connection that is older than connection_lifetime is replaced`() async throws {
        let database = try await TestDatabase.shared()
        let short = settings(database, group: "ttl: 1ms").replacing(
            "connections: 4", with: "connections: 3, connection_lifetime: 200ms")
        try await withSidecar(short) { sidecar in
            let asker = try Self.asker(1, of: sidecar)
            #expect(await eventually { (try? sidecar.info("database_connections_made")).flatMap { Int($0) } ?? 0 > 20 })
            let wrong = Self.wrong(try await asker.stop())
            #expect(wrong.isEmpty, "\(wrong.prefix(3))")
            #expect(try sidecar.info("database_connections_lost") == "0")
        }
    }

    @Test func `when the database takes no new connection the old ones stay`() async throws {
        let database = try await TestDatabase.fresh()
        try await withSidecar(settings(database)) { sidecar in
            let client = try sidecar.client()
            #expect(try client.ask("GET", "word:7") == .bulk("word 7"))
            #expect(await eventually { (try? sidecar.info("database_connections_ready")) == "4" })
            _ = try await database.server.psql("alter database \(database.name) allow_connections off")
            #expect(try client.ask("PGS.RECONNECT").isError)
            #expect(try client.ask("GET", "word:8") == .bulk("word 8"))
            #expect(try sidecar.info("database_connections_ready") == "4")
            _ = try await database.server.psql("alter database \(database.name) allow_connections on")
        }
        await database.server.remove()
    }
}
