import Foundation
import Groundwork
import TestSupport
import Testing

/// However many ask for a key at once, PostgreSQL sees one query.
@Suite(.timeLimit(.minutes(10)))
struct OneLoadTests {
    private func settings(_ database: TestDatabase, _ sql: String, rest: String = "") -> String {
        """
        database: { url: "\(database.url)", connections: 4 }
        threads: 4
        groups:
          word:
            sql: \(sql)
            returns: value
            load_timeout: 5m
        \(rest.split(separator: "\n").map { "    \($0)" }.joined(separator: "\n"))
        """
    }

    /// Has a thousand requests on a hundred connections, which are spread over all loops, ask for one key.
    private func thousand(_ sidecar: RunningSidecar, _ key: String) throws -> [TestClient] {
        let clients = try (0..<100).map { _ in try sidecar.client() }
        for client in clients {
            for _ in 0..<10 { try client.send("GET", key) }
        }
        return clients
    }

    private func answers(_ clients: [TestClient]) throws -> [Reply] {
        try clients.flatMap { client in try (0..<10).map { _ in try client.receive() } }
    }

    @Test func `a thousand requests for a cold key are one query and a thousand equal answers`() async throws {
        let database = try await TestDatabase.shared()
        try await withSidecar(settings(database, TestDatabase.heldWord())) { sidecar in
            let hold = try await database.hold(7)
            let clients = try thousand(sidecar, "word:7")
            #expect(await sidecar.counts("gets", 1000, of: "word"))
            try await hold.release()
            #expect(try answers(clients) == Array(repeating: .bulk("word 7"), count: 1000))
            #expect(try await database.completedQueries() == 1)
            #expect(try sidecar.statistics("word")["loads"] == 1)
        }
    }

    @Test func `the same at expiry`() async throws {
        let database = try await TestDatabase.shared()
        try await withSidecar(settings(database, TestDatabase.heldWord(), rest: "ttl: 300ms")) { sidecar in
            let client = try sidecar.client()
            #expect(try client.ask("GET", "word:7") == .bulk("word 7"))
            try await database.run("update word set text = 'newer' where id = 7")
            let hold = try await database.hold(7)
            #expect(try await eventually { try client.ask("PTTL", "word:7") == .integer(-2) })
            let clients = try thousand(sidecar, "word:7")
            #expect(await sidecar.counts("gets", 1001, of: "word"))
            try await hold.release()
            #expect(try answers(clients) == Array(repeating: .bulk("newer"), count: 1000))
            #expect(try await database.completedQueries() == 2)
        }
    }

    @Test func `when the leader's connection closes the others still get their answer, of the same query`() async throws
    {
        let database = try await TestDatabase.shared()
        try await withSidecar(settings(database, TestDatabase.heldWord())) { sidecar in
            let hold = try await database.hold(7)
            var leader: TestClient? = try sidecar.client()
            try leader?.send("GET", "word:7")
            #expect(await sidecar.counts("gets", 1, of: "word"))
            let followers = try (0..<20).map { _ in try sidecar.client() }
            for follower in followers { try follower.send("GET", "word:7") }
            #expect(await sidecar.counts("gets", 21, of: "word"))
            leader = nil
            // The followers, and the one that asks.
            #expect(try await eventually { try sidecar.info("connected_clients") == "21" })
            try await hold.release()
            for follower in followers { #expect(try follower.receive() == .bulk("word 7")) }
            #expect(try await database.completedQueries() == 1)
        }
    }

    @Test func `an error of the query reaches all alike, is not kept, and the next one asks again`() async throws {
        let database = try await TestDatabase.shared()
        try await database.run("update word set number = 0 where id = 7")
        try await withSidecar(settings(database, TestDatabase.heldWord("10 / number"))) { sidecar in
            let hold = try await database.hold(7)
            let clients = try thousand(sidecar, "word:7")
            #expect(await sidecar.counts("gets", 1000, of: "word"))
            try await hold.release()
            let answers = Set(try answers(clients).map { $0.isError ? $0.text : nil })
            #expect(answers.count == 1)
            let text = try #require(answers.first ?? nil)
            #expect(text.contains("word") && !text.contains("select") && !text.contains("number"), "\(text)")
            #expect(try sidecar.statistics("word")["loads"] == 1)
            try await database.run("update word set number = 2 where id = 7")
            #expect(try sidecar.client().ask("GET", "word:7") == .bulk("5"))
            #expect(try sidecar.statistics("word")["loads"] == 2)
        }
    }

    @Test func `a statement timeout reaches all alike, is not kept, and the next one asks again`() async throws {
        let database = try await TestDatabase.shared()
        try await database.run("alter database \(database.name) set statement_timeout = '2s'")
        try await withSidecar(settings(database, TestDatabase.heldWord())) { sidecar in
            let hold = try await database.hold(7)
            let clients = try thousand(sidecar, "word:7")
            let answers = Set(try answers(clients).map { $0.isError ? $0.text : nil })
            #expect(answers.count == 1 && answers != [nil], "\(answers)")
            #expect(try sidecar.statistics("word")["loads"] == 1)
            try await hold.release()
            #expect(try sidecar.client().ask("GET", "word:7") == .bulk("word 7"))
        }
    }

    @Test func `a key is never SQL, whatever stands in it`() async throws {
        let database = try await TestDatabase.shared()
        let text = "\n  by_text:\n    sql: select id from word where text = $1\n    returns: value"
        try await withSidecar(settings(database, TestDatabase.heldWord()) + text) { sidecar in
            let client = try sidecar.client()
            let injection = "1'; drop table word; --"
            let refused = try client.ask("GET", "word:\(injection)")
            #expect(refused.isError)
            #expect(refused.text?.contains("drop") == false && refused.text?.contains("select") == false, "\(refused)")
            #expect(try client.ask("GET", "by_text:\(injection)") == .null)
            #expect(try client.ask("GET", "by_text:a\0b").isError)
            #expect(try client.ask("GET", "word:1") == .bulk("word 1"))
            #expect(try await database.run("select count(*) from word") == "2000")
        }
    }
}
