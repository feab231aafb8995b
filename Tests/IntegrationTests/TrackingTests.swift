import Foundation
import PrivateDatabase
import TestSupport
import Testing

/// Clients that keep what they read, and are told of changes.
@Suite(.timeLimit(.minutes(60)))
struct TrackingTests {
    /// Small in everything, so that values leave for each reason that there is. `PGSIDECAR_HOSTILE_SECONDS` makes it longer.
    @Test func `clients' caches are never older than what was dropped, through eviction, expiry, reloads and flushes`()
        async throws
    {
        let python = try pythonPath()
        let environment = ProcessInfo.processInfo.environment
        let seconds = environment["PGSIDECAR_HOSTILE_SECONDS"] ?? "5"
        let seed = environment["PGSIDECAR_HOSTILE_SEED"] ?? "\(UInt32.random(in: 0...UInt32.max))"
        let database = try await TestDatabase.shared()
        try await database.run(
            "create table counted(id int primary key, version int); "
                + "insert into counted select i, 1 from generate_series(0, 199) i")
        let settings = """
            database: { url: "\(database.url)", connections: 4 }
            threads: 2
            groups:
              counted:
                sql: select version from counted where id = $1::int
                returns: value
                ttl: 300ms
                refresh_after: 100ms
                memory: 20KiB
                load_timeout: 5m
            """
        try await withSidecar(settings, listen: ", max_tracking: 64KiB") { sidecar in
            let script = "\(repository)/Tests/IntegrationTests/Clients/tracking.py"
            let command = [python, script, sidecar.socket, seconds, seed, database.url]
            let said = try await Program(command: command).run()
            #expect(said.hasSuffix("all is well"), "seed \(seed)")
        }
    }
}
