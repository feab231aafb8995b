import Foundation
import Groundwork
import PrivateDatabase
import TestSupport
import Testing

/// What clients see while the database fails. Tests that break a server have one of their own.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct FaultTests {
    private let unreachable = Reply.error("UNAVAILABLE word: the database cannot be reached")

    /// Whether a reply is an error that says that the database is away, or that it has not answered for long.
    private func isOutage(_ reply: Reply) -> Bool {
        guard reply.isError, let text = reply.text else { return false }
        return ["UNAVAILABLE", "TIMEOUT", "BUSY"].contains { text.hasPrefix("\($0) word: ") }
    }

    private func settings(
        _ database: TestDatabase, _ group: String, url: String? = nil, connections: Int = 4
    ) -> String {
        """
        database: { url: "\(url ?? database.url)", connections: \(connections), connect_timeout: 2s }
        threads: 2
        groups:
          word: { sql: "\(TestDatabase.heldWord())", returns: value, load_timeout: 1s, \(group) }
        """
    }

    /// Asks for keys that were never asked for, each once.
    private func askForNewKeys(_ sidecar: RunningSidecar) throws -> [Asker] {
        try (0..<4).map { worker in
            try Asker(try sidecar.client()) { ["GET", "word:\(100 + worker + 4 * $0)"] }
        }
    }

    @Test func `a database killed and restarted under load costs errors in time, no hit and no wrong answer`()
        async throws
    {
        let database = try await TestDatabase.fresh()
        let server = database.server
        try await database.run("insert into word select i, 'word ' || i, i from generate_series(2001, 500000) i")
        // What was not yet written when the server is killed would be lost: it does not wait for the disk.
        try await database.run("checkpoint")
        try await withSidecar(settings(database, "ttl: 10m")) { sidecar in
            #expect(try sidecar.client().ask("GET", "word:1") == .bulk("word 1"))
            let hits = try Asker(try sidecar.client()) { _ in ["GET", "word:1"] }
            let loads = try askForNewKeys(sidecar)
            #expect(await eventually { loads.allSatisfy { $0.count > 100 } })
            await server.kill()
            #expect(await eventually { loads.allSatisfy { $0.last?.reply.isError == true } })
            let before = hits.count
            #expect(await eventually { hits.count > before + 100 })
            try await server.start()
            #expect(await eventually { loads.allSatisfy { $0.last?.reply.isError == false } })
            #expect(try await eventually { try sidecar.info("database_connections_ready") == "4" })

            #expect(try await hits.stop().allSatisfy { $0.reply == .bulk("word 1") })
            for (worker, asker) in loads.enumerated() {
                let answers = try await asker.stop()
                let wrong = answers.enumerated().first { count, answer in
                    !isOutage(answer.reply) && answer.reply != .bulk("word \(100 + worker + 4 * count)")
                }
                #expect(wrong == nil)
            }
        }
        await server.remove()
    }

    @Test func `a database that hangs costs errors in time and no hit, and is asked again when it goes on`()
        async throws
    {
        let database = try await TestDatabase.fresh()
        let server = database.server
        try await withSidecar(settings(database, "ttl: 10m")) { sidecar in
            let client = try sidecar.client()
            #expect(try client.ask("GET", "word:1") == .bulk("word 1"))
            await server.suspend()
            let error = try client.ask("GET", "word:2")
            #expect(error.isError && error.text?.hasPrefix("TIMEOUT word: ") == true, "\(error)")
            #expect(try client.ask("GET", "word:1") == .bulk("word 1"))
            await server.resume()
            #expect(try await eventually { try client.ask("GET", "word:3") == .bulk("word 3") })
        }
        await server.remove()
    }

    @Test func `with fewer connections than wanted all loads are answered, and with none each one fails`() async throws
    {
        let database = try await TestDatabase.shared()
        let role = "role_\(database.name)"
        try await database.run(
            "create role \(role) login connection limit 2; grant select on word to \(role)")
        let url = database.url.replacing("user=postgres", with: "user=\(role)")
        try await withSidecar(settings(database, "ttl: 10m", url: url, connections: 8)) { sidecar in
            let client = try sidecar.client()
            func ready() throws -> Int? { Int(try sidecar.info("database_connections_ready")) }
            // Those that PostgreSQL starts at the same moment count each other, and may all be refused at first.
            #expect(try await eventually { try ready() ?? 0 > 0 })
            for id in 1...500 { try client.send("GET", "word:\(id)") }
            for id in 1...500 { #expect(try client.receive() == .bulk("word \(id)")) }
            #expect((1...2).contains(try ready() ?? 0))

            try await database.run("alter role \(role) connection limit 0")
            var new = 501
            #expect(
                try await eventually {
                    // Also those that were just being made.
                    try await database.run(
                        "select pg_terminate_backend(pid) from pg_stat_activity where usename = '\(role)'")
                    new += 1
                    return try client.ask("GET", "word:\(new)") == unreachable
                })
            #expect(try client.ask("GET", "word:1") == .bulk("word 1"))
            try await database.run("alter role \(role) connection limit 2")
            #expect(try await eventually { try client.ask("GET", "word:\(new)") == .bulk("word \(new)") })
        }
    }

    @Test func `while the database is gone the last value is served within its bound, then errors, then the new one`()
        async throws
    {
        let database = try await TestDatabase.fresh()
        let server = database.server
        let group = "ttl: 400ms, refresh_after: 200ms, stale_if_error: 1500ms"
        try await withSidecar(settings(database, group)) { sidecar in
            let askers = try (0..<20).map { worker in
                try Asker(try sidecar.client()) { _ in ["GET", "word:\(worker % 5 + 1)"] }
            }
            #expect(try await eventually { try sidecar.statistics("word")["refreshes"].map { $0 > 10 } ?? false })
            await server.stop()
            let gone = Instant.now()
            #expect(try await eventually { try sidecar.statistics("word")["stale_hits"].map { $0 > 100 } ?? false })
            #expect(await eventually { askers.allSatisfy { $0.last?.reply.isError == true } })
            #expect(try await eventually { try sidecar.info("database_circuit") != "closed" })
            let back = Instant.now()
            try await server.start()
            _ = try await server.psql("select pg_stat_statements_reset()")
            try await database.run("update word set text = 'new'")
            #expect(await eventually { askers.allSatisfy { $0.last?.reply == .bulk("new") } })

            // Five keys, each reloaded at most at every refresh, whatever twenty askers ask. The time is taken last: they go on.
            let queries = Double(try await database.completedQueries())
            let rounds = (Instant.now() - back) / .milliseconds(200) + 2
            #expect(queries <= 5 * rounds)
            for (worker, asker) in askers.enumerated() {
                let answers = try await asker.stop()
                let old = Reply.bulk("word \(worker % 5 + 1)")
                let wrong = answers.first { !isOutage($0.reply) && ![old, .bulk("new")].contains($0.reply) }
                #expect(wrong == nil)
                // From the start on it may have been loaded before the update.
                let lastStale = answers.last { $0.reply == old && $0.at < back }
                #expect(try #require(lastStale).asked - gone < .milliseconds(400 + 1500 + 500))
            }
        }
        await server.remove()
    }

    @Test func `a database that hangs is probed by one load at a time`() async throws {
        let database = try await TestDatabase.fresh()
        let server = database.server
        try await withSidecar(settings(database, "ttl: 10m", connections: 2)) { sidecar in
            #expect(try sidecar.client().ask("GET", "word:1") == .bulk("word 1"))
            await server.suspend()
            let loads = try askForNewKeys(sidecar)
            #expect(try await eventually { try sidecar.info("database_circuit") != "closed" })
            let sent = Int(try sidecar.info("database_loads_sent")) ?? 0
            let count = loads.reduce(0) { $0 + $1.count }
            #expect(await eventually { loads.reduce(0) { $0 + $1.count } > count + 2_000 })
            // What was under way when it opened, and a probe or two.
            #expect(Int(try sidecar.info("database_loads_sent")) ?? 0 <= sent + 6)
            await server.resume()
            #expect(await eventually { loads.allSatisfy { $0.last?.reply.isError == false } })
            #expect(try sidecar.info("database_circuit") == "closed")
            for asker in loads { _ = try await asker.stop() }
        }
        await server.remove()
    }
}
