import Foundation
import PrivateDatabase
import TestSupport
import Testing

/// Clients that ask for more than anything can hold at once: all are answered, nobody else notices, and memory stays bounded.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct BoundTests {
    private func settings(_ database: TestDatabase) -> String {
        """
        database: { url: "\(database.url)", connections: 4 }
        threads: 1
        memory: 64MiB
        defaults: { ttl: 0s, load_timeout: 5m }
        groups:
          text: { sql: "select left(repeat($1 || ' of 100 ', 100), 100)", returns: value }
          page: { sql: "select left(repeat($1 || ' of 10000 ', 10000), 10000)", returns: value }
          book: { sql: "select left(repeat($1 || ' of 1000000 ', 100000), 1000000)", returns: value }
          row: { sql: "select $1::int id, left(repeat($1 || ' ', 1000000), 3000000) text" }
          pair: { sql: "select $1::int + $2::int", returns: value }
          held: { sql: "select pg_sleep(30)::text || $1::int", returns: value, load_timeout: 2s }
        """
    }

    private func run(_ name: String, maxBuffers: String = "256MiB") async throws {
        let python = try pythonPath()
        try await withSidecar(
            settings(try await TestDatabase.shared()), listen: ", max_output: 1MiB, max_buffers: \(maxBuffers)"
        ) { sidecar in
            let script = "\(repository)/Tests/IntegrationTests/Clients/bounds.py"
            let said = try await Program(command: [python, script, sidecar.socket, name]).run()
            #expect(said == "all is well")
        }
    }

    @Test func `100,000 pipelined GETs of a client that writes all before it reads, cold and hot`() async throws {
        try await run("many_texts")
    }

    @Test func `the same with a gigabyte of replies, and memory stays bounded`() async throws {
        try await run("many_pages")
    }

    @Test(.enabled(if: wantsLargeTests)) func `the same with a gigabyte of loads`() async throws {
        try await run("many_cold_pages")
    }

    @Test func `what loads bring for a client that does not read is bounded`() async throws {
        try await run("books_that_nobody_reads")
    }

    @Test func `what loads bring for many clients that don't read is bounded in all`() async throws {
        try await run("many_clients_of_books")
    }

    @Test func `what needs no load is answered in its own round, however much there is`() async throws {
        try await run("answered_in_the_same_round")
    }

    @Test func `an MGET with a bad key is an error that names it, and the next reply is the next command's`()
        async throws
    {
        try await run("one_bad_key")
    }

    @Test func `one MGET of a slow key 65,535 times freezes nobody`() async throws {
        try await run("one_key_many_times")
    }

    @Test func `128,000 requests that wait in vain for one key freeze nobody`() async throws {
        try await run("many_who_wait")
    }

    @Test func `clients that go while they wait freeze nobody`() async throws {
        try await run("waits_in_vain_and_leaves")
    }

    @Test func `short replies pass those that others don't read`() async throws {
        try await run("short_replies_pass", maxBuffers: "8MiB")
    }

    @Test func `room that those who went were told of is for who waits behind them`() async throws {
        try await run("room_that_nobody_took", maxBuffers: "8MiB")
    }

    @Test func `what clients keep between their requests is bounded in all`() async throws {
        try await run("kept_in_all", maxBuffers: "8MiB")
    }

    @Test func `a part of a large row is not held to be the whole row`() async throws {
        try await run("part_of_a_large_row")
    }

    @Test func `a RESP2 subscriber may not ask`() async throws {
        try await run("subscriber_asks")
    }

    @Test func `subscribers that leave in the middle of their events harm nobody who comes after them`() async throws {
        try await run("subscribers_come_and_go")
    }

    @Test func `the error about a request that is too long can be read`() async throws {
        try await run("request_too_long")
    }
}
