import Foundation
import Groundwork
import TestSupport
import Testing

/// What the kernel sees of `memory`.
@Suite(.timeLimit(.minutes(10)))
struct MemoryTests {
    private static let bound = 64 << 20

    @Test func `values of any mix of lengths take at most a fifth more memory than the bound, as the kernel sees it`()
        async throws
    {
        let database = try await TestDatabase.shared()
        // From 600 bytes to a megabyte, each tenth of the scale as often as the next; then short ones in their place.
        let length = "(600 * exp(7.4 * ($1::int * 7919 % 1000) / 1000.0))::int"
        let settings = """
            database: { url: "\(database.url)", connections: 2 }
            threads: 2
            memory: \(Self.bound >> 20)MiB
            groups:
              mixed: { sql: "select repeat('x', \(length))", returns: value, load_timeout: 5m }
              short: { sql: "select repeat('x', 600 + $1::int % 4000)", returns: value, load_timeout: 5m }
            """
        try await withSidecar(settings) { sidecar in
            let client = try sidecar.client()
            // What loading takes at its most is not the cache's.
            for id in 0..<20 { _ = try client.ask("GET", "mixed:\(id)") }
            _ = try client.ask("FLUSHALL")
            let before = try figure("used_memory_rss", sidecar)
            for id in 0..<2500 { _ = try client.ask("EXISTS", "mixed:\(id)") }
            try expectFit(sidecar, before)
            for batch in 0..<400 {
                for id in 0..<100 { try client.send("EXISTS", "short:\(batch * 100 + id)") }
                for _ in 0..<100 { _ = try client.receive() }
            }
            try expectFit(sidecar, before)
            for id in 3000..<4500 { _ = try client.ask("EXISTS", "mixed:\(id)") }
            try expectFit(sidecar, before)
        }
    }

    private func expectFit(_ sidecar: RunningSidecar, _ before: Int) throws {
        let cache = try figure("used_memory_cache", sidecar)
        #expect(cache > Self.bound * 9 / 10 && cache <= Self.bound)
        let grown = try figure("used_memory_rss", sidecar) - before
        #expect(grown <= Self.bound * 12 / 10, "the process grew by \(grown) bytes for \(cache)")
        // What is said of the cache and what is measured of the process don't contradict each other.
        let used = try figure("used_memory", sidecar)
        // An eighth of what long records are charged is for holes, which there may be fewer of.
        #expect(used >= cache * 8 / 9 && used <= cache * 13 / 10 + (32 << 20), "\(used) used, \(cache) for the cache")
    }

    private func figure(_ name: String, _ sidecar: RunningSidecar) throws -> Int {
        Int(try sidecar.info(name)) ?? 0
    }
}
