import Foundation
import Groundwork
import TestSupport
import Testing

/// What the database sees of many askers.
@Suite(.timeLimit(.minutes(10)))
struct LoadControlTests {
    private func settings(_ database: TestDatabase, _ group: String) -> String {
        """
        database: { url: "\(database.url)", connections: 8 }
        threads: 4
        groups:
          word: { sql: "\(TestDatabase.heldWord())", returns: value, load_timeout: 5m, \(group) }
        """
    }

    @Test func `ten thousand asks over three refreshes cost three queries more, and none waits for one`() async throws {
        let database = try await TestDatabase.shared()
        try await withSidecar(settings(database, "ttl: 10m, refresh_after: 100ms")) { sidecar in
            let client = try sidecar.client()
            #expect(try client.ask("GET", "word:7") == .bulk("word 7"))
            for round in 1...3 {
                // Nobody asks meanwhile, so nothing is reloaded meanwhile.
                try await database.run("update word set text = 'round \(round)' where id = 7")
                let hold = try await database.hold(7)
                #expect(
                    try await eventually {
                        _ = try client.ask("GET", "word:7")
                        return try sidecar.statistics("word")["refreshes"] == round
                    })
                let old = Reply.bulk(round == 1 ? "word 7" : "round \(round - 1)")
                for _ in 0..<3_400 { try client.send("GET", "word:7") }
                for _ in 0..<3_400 { #expect(try client.receive() == old) }
                #expect(try await database.completedQueries() == round)
                try await hold.release()
                #expect(await eventually { (try? client.ask("PGS.PEEK", "word:7")) == .bulk("round \(round)") })
            }
            #expect(try await database.completedQueries() == 4)
            #expect(try sidecar.statistics("word")["misses"] == 1)
        }
    }

    @Test func `after a cold start no more queries run at once than max_loads, and all are answered`() async throws {
        let database = try await TestDatabase.shared()
        let slow = """
            database: { url: "\(database.url)", connections: 8 }
            threads: 4
            groups:
              word:
                sql: select text from word, pg_advisory_xact_lock_shared(0) held, pg_sleep(0.002) where id = $1::int
                returns: value
                load_timeout: 5m
                max_loads: 3
            """
        try await withSidecar(slow) { sidecar in
            let hold = try await database.hold(0)
            let clients = try (0..<50).map { _ in try sidecar.client() }
            for (index, client) in clients.enumerated() {
                for id in 1...20 { try client.send("GET", "word:\(index * 20 + id)") }
            }
            #expect(await sidecar.counts("misses", 1000, of: "word"))
            #expect(try await eventually { try sidecar.info("database_loads_sent") == "3" })
            #expect((1...3).contains(try await database.activeSessions()))
            try await hold.release()
            var most = 0
            while try await database.completedQueries() < 1000 {
                most = max(most, try await database.activeSessions())
            }
            #expect(most <= 3)
            #expect(try await database.sessions() <= 8)
            for (index, client) in clients.enumerated() {
                for id in 1...20 { #expect(try client.receive() == .bulk("word \(index * 20 + id)")) }
            }
        }
    }

    @Test func `with a batch, too, no more queries run at once than max_loads, nor when one key of it is bad`()
        async throws
    {
        let database = try await TestDatabase.shared()
        func slow(_ column: String, _ condition: String) -> String {
            "select \(column) from word, pg_advisory_xact_lock_shared(0) held, pg_sleep(0.002) where \(condition)"
        }
        let settings = """
            database: { url: "\(database.url)", connections: 8 }
            threads: 4
            groups:
              word:
                sql: \(slow("text", "id = $1::int"))
                batch: { sql: "\(slow("id, text", "id = any($1::int[])"))", max: 10 }
                returns: value
                load_timeout: 5m
                max_loads: 3
                max_queued_loads: 2000
            """
        try await withSidecar(settings) { sidecar in
            let hold = try await database.hold(0)
            let clients = try (0..<50).map { _ in try sidecar.client() }
            for (index, client) in clients.enumerated() {
                for id in 1...20 { try client.send("GET", "word:\(index * 20 + id)") }
                try client.send("GET", "word:no\(index)")
            }
            #expect(await sidecar.counts("misses", 1050, of: "word"))
            // Once the misses are counted, the first of them are about to be sent: at least one, as a thread whose clients ask for
            // nothing leaves its share unused. What the sidecar has sent may be more: a batch with a bad key is refused at once.
            #expect(try await eventually { try await database.activeSessions() > 0 })
            var most = try await database.activeSessions()
            #expect(most <= 3)
            try await hold.release()
            func ended() throws -> Int {
                let figures = try sidecar.statistics("word")
                return (figures["entries"] ?? 0) + (figures["load_errors"] ?? 0)
            }
            while try ended() < 1050 { most = max(most, try await database.activeSessions()) }
            #expect(most <= 3)
            for (index, client) in clients.enumerated() {
                for id in 1...20 { #expect(try client.receive() == .bulk("word \(index * 20 + id)")) }
                #expect(try client.receive().isError)
            }
        }
    }

    @Test func `beyond the queue's bound a load fails at once as busy, and hits go on`() async throws {
        let database = try await TestDatabase.shared()
        try await withSidecar(settings(database, "max_loads: 1, max_queued_loads: 2")) { sidecar in
            let client = try sidecar.client()
            #expect(try client.ask("GET", "word:9") == .bulk("word 9"))
            let hold = try await database.hold(1)
            let waiting = try sidecar.client()
            for id in 1...3 { try waiting.send("GET", "word:\(id)") }
            #expect(await sidecar.counts("misses", 4, of: "word"))
            for id in 4...8 {
                let refused = try client.ask("GET", "word:\(id)")
                #expect(refused.text?.hasPrefix("BUSY ") == true, "\(refused)")
            }
            #expect(try client.ask("GET", "word:9") == .bulk("word 9"))
            try await hold.release()
            for id in 1...3 { #expect(try waiting.receive() == .bulk("word \(id)")) }
            #expect(try client.ask("GET", "word:4") == .bulk("word 4"))
        }
    }

    @Test func `a load that nobody wants any more makes room for those that wait at the gate`() async throws {
        let database = try await TestDatabase.shared()
        let settings = """
            database: { url: "\(database.url)", connections: 1 }
            threads: 1
            groups:
              word: { sql: "\(TestDatabase.heldWord())", returns: value, load_timeout: 5m, max_loads: 2 }
            """
        try await withSidecar(settings) { sidecar in
            let hold = try await database.hold(31)
            let watcher = try sidecar.client()
            func ask(_ id: Int) async throws -> TestClient {
                let client = try sidecar.client()
                try client.send("GET", "word:\(id)")
                #expect(await sidecar.counts("misses", id - 30, of: "word"))
                return client
            }
            let held = try await ask(31)
            #expect(try await eventually { try await database.activeSessions() == 1 })
            // It has passed the gate, and waits for the connection.
            var leaves: TestClient? = try await ask(32)
            let waiting = [try await ask(33), try await ask(34), try await ask(35)]
            withExtendedLifetime(leaves) {}
            leaves = nil
            // Who is left: four of this test, and the one who asks.
            #expect(try await eventually { try sidecar.info("connected_clients") == "6" })
            try await hold.release()
            #expect(try held.receive() == .bulk("word 31"))
            for (index, client) in waiting.enumerated() {
                #expect(try client.receive() == .bulk("word \(33 + index)"))
            }
            #expect(try watcher.ask("EXISTS", "word:31") == .integer(1))
        }
    }
}
