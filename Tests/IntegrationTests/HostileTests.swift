import Foundation
import PrivateDatabase
import TestSupport
import Testing

/// Tens of clients that do whatever clients can do wrong, beside a few whose every answer is checked byte for byte.
@Suite(.timeLimit(.minutes(60)))
struct HostileTests {
    private func settings(_ database: TestDatabase) -> String {
        """
        database: { url: "\(database.url)", connections: 4 }
        threads: 2
        memory: 64MiB
        defaults: { ttl: 2s, refresh_after: 1s, load_timeout: 5m, max_queued_loads: 1000000 }
        groups:
          text: { sql: "select left(repeat($1 || ' of 100 ', 100), 100) where $1 <> 'none'", returns: value }
          page: { sql: "select left(repeat($1 || ' of 10000 ', 10000), 10000)", returns: value, ttl: 0s, refresh_after: 0s }
          sized: { sql: "select left(repeat($2 || ' of ' || $1 || ' ', 400000), $1::int)", returns: value }
          row: { sql: "select $1::int id, left(repeat($1 || ' of 500 ', 100), 500) text" }
          rows: { sql: "select n from generate_series(1, $1::int) n", returns: rows }
          held: { sql: "select pg_sleep(30)::text || $1", returns: value, load_timeout: 300ms, max_queued_loads: 100 }
        """
    }

    /// `PGSIDECAR_HOSTILE_SECONDS` makes it longer, `PGSIDECAR_HOSTILE_SEED` repeats what the clients of a run did.
    @Test func `whatever hostile clients do, the others' answers are right, and nothing is left when they have gone`()
        async throws
    {
        let python = try pythonPath()
        let environment = ProcessInfo.processInfo.environment
        let seconds = environment["PGSIDECAR_HOSTILE_SECONDS"] ?? "12"
        let seed = environment["PGSIDECAR_HOSTILE_SEED"] ?? "\(UInt32.random(in: 0...UInt32.max))"
        try await withSidecar(
            settings(try await TestDatabase.shared()), listen: ", max_output: 2MiB, max_buffers: 32MiB"
        ) { sidecar in
            let script = "\(repository)/Tests/IntegrationTests/Clients/hostile.py"
            let said = try await Program(command: [python, script, sidecar.socket, seconds, seed]).run()
            #expect(said.hasSuffix("all is well"), "seed \(seed)")
        }
    }
}
