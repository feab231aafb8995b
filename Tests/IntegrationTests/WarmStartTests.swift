import Foundation
import Glibc
import Groundwork
import TestSupport
import Testing

/// A restart that does not meet a cold cache.
@Suite(.timeLimit(.minutes(10)))
struct WarmStartTests {
    private func settings(_ database: TestDatabase, _ file: String, more: String = "") -> String {
        """
        database: { url: "\(database.url)", connections: 4 }
        warm_start: { file: \(file)\(more) }
        groups:
          word: { sql: "select text from word where id = $1", returns: value, ttl: 1h, negative_ttl: 1h, load_timeout: 5m, max_loads: 8 }
        """
    }

    /// A file that a sidecar could have saved.
    private func recentKeys(_ keys: [Int]) -> String {
        let lines = keys.map { "\("\($0)".count)\n\($0)\n" }.joined()
        let text = "pgsidecar recent keys 1\ngroup word \(keys.count)\n\(lines)"
        // FNV-1a.
        let checksum = text.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        return text + "end \(String(checksum, radix: 16))\n"
    }

    private func isWarm(_ sidecar: RunningSidecar) async -> Bool {
        await eventually { (try? sidecar.info("warm_start")) == "done" }
    }

    @Test func `what was asked for last is in memory after a restart`() async throws {
        let database = try await TestDatabase.shared()
        let file = temporaryPath()
        defer { unlink(file) }
        try await withSidecar(settings(database, file)) { sidecar in
            #expect(await isWarm(sidecar))
            let client = try sidecar.client()
            for id in 1...100 { #expect(try client.ask("GET", "word:\(id)") == .bulk("word \(id)")) }
            #expect(try client.ask("GET", "word:5000") == .null)
        }
        var status = stat()
        #expect(stat(file, &status) == 0 && status.st_mode & 0o777 == 0o600)
        try await withSidecar(settings(database, file)) { sidecar in
            #expect(await isWarm(sidecar))
            #expect(try sidecar.statistics("word")["entries"] == 101)
            let client = try sidecar.client()
            for id in 1...100 { #expect(try client.ask("GET", "word:\(id)") == .bulk("word \(id)")) }
            #expect(try sidecar.statistics("word")["misses"] == 0)
            #expect(try sidecar.statistics("word")["loads"] == 101)
            #expect(await eventually { sidecar.process.errors.contains("warm start done") })
        }
    }

    @Test func `a process that is killed has what was saved last`() async throws {
        let database = try await TestDatabase.shared()
        let file = temporaryPath()
        defer { unlink(file) }
        try await withSidecar(settings(database, file, more: ", interval: 100ms"), seenToEnd: true) { sidecar in
            let client = try sidecar.client()
            #expect(try client.ask("GET", "word:7") == .bulk("word 7"))
            #expect(
                await eventually {
                    (try? String(contentsOfFile: file, encoding: .utf8))?.contains("group word 1\n1\n7\n") == true
                })
            sidecar.process.signal(SIGKILL)
            #expect(await sidecar.process.end() != nil)
        }
        try await withSidecar(settings(database, file)) { sidecar in
            #expect(await isWarm(sidecar))
            let client = try sidecar.client()
            #expect(try client.ask("PGS.PEEK", "word:7") == .bulk("word 7"))
        }
    }

    @Test func `a damaged file is a line in the log, and a cold start`() async throws {
        let database = try await TestDatabase.shared()
        let file = temporaryPath()
        defer { unlink(file) }
        for text in ["rubbish", "pgsidecar recent keys 1\ngroup word 1\n1\n7\nend 0\n", ""] {
            try text.write(toFile: file, atomically: true, encoding: .utf8)
            try await withSidecar(settings(database, file)) { sidecar in
                #expect(await isWarm(sidecar))
                #expect(await eventually { sidecar.process.errors.contains("damaged") })
                #expect(try sidecar.statistics("word")["loads"] == 0)
                let client = try sidecar.client()
                #expect(try client.ask("GET", "word:7") == .bulk("word 7"))
            }
        }
    }

    @Test func `the file of another version is a line in the log that says so, and is written anew`() async throws {
        let database = try await TestDatabase.shared()
        let file = temporaryPath()
        defer { unlink(file) }
        try "pgsidecar hot keys 1\ngroup word 1\n1\n7\nend 0\n".write(toFile: file, atomically: true, encoding: .utf8)
        try await withSidecar(settings(database, file)) { sidecar in
            #expect(await isWarm(sidecar))
            #expect(await eventually { sidecar.process.errors.contains("another version wrote the recent keys") })
            #expect(!sidecar.process.errors.contains("damaged"))
            let client = try sidecar.client()
            #expect(try client.ask("GET", "word:7") == .bulk("word 7"))
        }
        let written = try String(contentsOfFile: file, encoding: .utf8)
        #expect(written.hasPrefix("pgsidecar recent keys 1\ngroup word 1\n1\n7\n"))
    }

    @Test func `clients are served while the rest is loaded, and the database is asked half of max_loads at once`()
        async throws
    {
        let database = try await TestDatabase.shared()
        let file = temporaryPath()
        defer { unlink(file) }
        let held = settings(database, file).replacing(
            "select text from word where id = $1", with: TestDatabase.heldWord())
        try await withSidecar(held) { sidecar in
            let client = try sidecar.client()
            for id in 1...20 { _ = try client.ask("GET", "word:\(id)") }
        }
        let hold = try await database.hold(7)
        try await withSidecar(held) { sidecar in
            #expect(try await hold.isAwaited())
            #expect(try sidecar.info("warm_start") == "loading")
            #expect(try sidecar.client().ask("GET", "word:1000") == .bulk("word 1000"))
            try await hold.release()
            #expect(await isWarm(sidecar))
            #expect(try sidecar.client().ask("PGS.PEEK", "word:7") == .bulk("word 7"))
        }
    }

    @Test func `a key that a client asked for meanwhile counts once`() async throws {
        let database = try await TestDatabase.shared()
        let file = temporaryPath()
        defer { unlink(file) }
        // One load at a time.
        let held = settings(database, file).replacing("max_loads: 8", with: "max_loads: 2").replacing(
            "select text from word where id = $1", with: TestDatabase.heldWord())
        try recentKeys([7, 8]).write(toFile: file, atomically: true, encoding: .utf8)
        let hold = try await database.hold(7)
        try await withSidecar(held) { sidecar in
            #expect(try await hold.isAwaited())
            #expect(try sidecar.client().ask("GET", "word:8") == .bulk("word 8"))
            try await hold.release()
            #expect(await isWarm(sidecar))
            #expect(try sidecar.statistics("word")["loads"] == 2)
            #expect(await eventually { sidecar.process.errors.contains("warm start done keys=2 ") })
        }
    }
}
