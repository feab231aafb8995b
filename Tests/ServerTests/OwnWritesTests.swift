import CacheCore
import Foundation
import Groundwork
import Server
import TestSupport
import Testing

/// Answers that have seen what the client wrote.
@Suite(.timeLimit(.minutes(10)), .serialized)
struct OwnWritesTests {
    private func withGroup(
        _ getter: HeldGetter, _ changes: HeldChanges, hears: Bool = true, loadTimeout: Duration = .seconds(60),
        _ body: (TestServer, ServedGroup) async throws -> Void
    ) async throws {
        let group = try served("word", getter) { $0.loadTimeout = loadTimeout }
        let rows = try served("row", HeldGetter { _ in .value(Value(text: Array("{}".utf8))) }, shape: .row)
        let groups = [group, rows].map { ServedGroup($0.group, shape: $0.shape, hearsOfChanges: hears) }
        try await withServer(groups, changes: changes.changes) { try await body($0, groups[0]) }
    }

    @Test func `what has seen the position is answered from memory at once`() async throws {
        let changes = HeldChanges()
        let getter = HeldGetter { .text("value of \($0)") }
        try await withGroup(getter, changes) { server, _ in
            let client = try TestClient(server.path)
            changes.apply(7)
            #expect(try client.ask("GET", "word:1") == .bulk("value of 1"))
            #expect(try client.ask("PGS.GET", "word:1", "AFTER", "7") == .bulk("value of 1"))
            #expect(
                try client.ask("pgs.mget", "word:1", "word:1", "after", "6")
                    == .array([.bulk("value of 1"), .bulk("value of 1")]))
            #expect(getter.loaded == ["1"])
        }
    }

    @Test func `what has not is waited for, and then answered from memory, in the order of the requests`() async throws
    {
        let changes = HeldChanges()
        let getter = HeldGetter { .text("value of \($0)") }
        try await withGroup(getter, changes) { server, _ in
            let (client, other) = (try TestClient(server.path), try TestClient(server.path))
            #expect(try client.ask("GET", "word:1") == .bulk("value of 1"))
            try client.send("PGS.GET", "word:1", "AFTER", "7")
            try client.send("PING")
            try client.send("PGS.MGET", "word:1", "word:2", "word:1", "AFTER", "8")
            #expect(await eventually { changes.waitingCount == 2 })
            #expect(try other.ask("GET", "word:1") == .bulk("value of 1"))
            #expect(!client.hasInput(within: 0))
            changes.apply(7)
            #expect(try client.receive() == .bulk("value of 1"))
            #expect(try client.receive() == .simpleString("PONG"))
            #expect(getter.loaded == ["1"])
            changes.apply(8)
            #expect(try client.receive() == .array([.bulk("value of 1"), .bulk("value of 2"), .bulk("value of 1")]))
            #expect(getter.loaded == ["1", "2"])
        }
    }

    @Test func `when nobody knows, it is loaded by a load that begins then, and not by one that is under way`()
        async throws
    {
        let changes = HeldChanges()
        let getter = HeldGetter()
        try await withGroup(getter, changes) { server, served in
            let (early, client, late) = (
                try TestClient(server.path), try TestClient(server.path), try TestClient(server.path)
            )
            try early.send("GET", "word:1")
            #expect(getter.waitForLoads(1))
            try client.send("PGS.GET", "word:1", "AFTER", "7")
            #expect(await eventually { changes.waitingCount == 1 })
            changes.giveUp()
            #expect(getter.waitForLoads(2))
            try late.send("GET", "word:1")
            #expect(await eventually { server.server.statistics.pending == 3 })
            try #require(getter.take(1)).succeed("new")
            #expect(try client.receive() == .bulk("new"))
            #expect(try late.receive() == .bulk("new"))
            try #require(getter.take(0)).succeed("old")
            #expect(try early.receive() == .bulk("old"))
            #expect(try early.ask("GET", "word:1") == .bulk("new"))
            #expect(getter.loaded == ["1", "1"])
        }
    }

    @Test func `a failed load brings no older value, though the group serves that in place of errors`() async throws {
        let changes = HeldChanges()
        let getter = HeldGetter()
        let group = try served("word", getter) {
            $0.staleIfError = .seconds(100)
            $0.timeToLive = .milliseconds(1)
        }
        try await withServer([ServedGroup(group.group, shape: .value)], changes: changes.changes) { server in
            let client = try TestClient(server.path)
            try client.send("GET", "word:1")
            #expect(getter.finish("1", "old"))
            #expect(try client.receive() == .bulk("old"))
            try client.send("PGS.GET", "word:1", "AFTER", "1")
            #expect(getter.finish("1", .failure(LoadError(.unavailable, "away"))))
            #expect(try client.receive() == .error("UNAVAILABLE away"))
        }
    }

    @Test func `in a group that nobody tells of changes each answer is loaded anew`() async throws {
        let changes = HeldChanges()
        changes.apply(100)
        let getter = HeldGetter { .text("value of \($0)") }
        try await withGroup(getter, changes, hears: false) { server, _ in
            let client = try TestClient(server.path)
            for _ in 0..<3 { #expect(try client.ask("PGS.GET", "word:1", "AFTER", "7") == .bulk("value of 1")) }
            #expect(getter.loaded == ["1", "1", "1"])
            #expect(
                try client.ask("PGS.MGET", "word:1", "word:1", "AFTER", "7")
                    == .array([.bulk("value of 1"), .bulk("value of 1")]))
            #expect(getter.loaded == ["1", "1", "1", "1"])
        }
    }

    @Test func `what can't be right is an error that says what would be`() async throws {
        let changes = HeldChanges()
        let getter = HeldGetter { .text("value of \($0)") }
        try await withGroup(getter, changes) { server, _ in
            let client = try TestClient(server.path)
            let noPosition = try client.ask("PGS.GET", "word:1", "AFTER", "yesterday\u{7}").text
            #expect(noPosition?.hasPrefix("ERR 'yesterday?' is no position") == true)
            #expect(noPosition?.contains("pg_current_wal_insert_lsn()") == true)
            #expect(try client.ask("PGS.GET", "word:1", "BEFORE", "7") == .error("ERR syntax error"))
            #expect(try client.ask("PGS.MGET", "AFTER", "7").text?.hasPrefix("ERR wrong number") == true)
            #expect(try client.ask("PGS.GET", "word:1", "AFTER").text?.hasPrefix("ERR wrong number") == true)
            #expect(try client.ask("PGS.GET", "nothing:1", "AFTER", "7").text?.hasPrefix("ERR no group") == true)
            #expect(try client.ask("PGS.MGET", "word:1", "nothing:1", "AFTER", "7").text?.contains("nothing:1") == true)
            #expect(try client.ask("PGS.HGETALL", "word:1", "AFTER", "7").text?.hasPrefix("WRONGTYPE") == true)
            #expect(getter.loaded.isEmpty)
            #expect(await eventually { server.server.statistics.pending == 0 })
        }
    }

    @Test func `who leaves while it waits leaves nothing behind`() async throws {
        let changes = HeldChanges()
        let getter = HeldGetter()
        try await withGroup(getter, changes) { server, _ in
            var leaving: TestClient? = try TestClient(server.path)
            try leaving?.send("PGS.GET", "word:1", "AFTER", "7")
            #expect(await eventually { changes.waitingCount == 1 })
            leaving?.end(abruptly: true)
            leaving = nil
            #expect(await eventually { server.server.statistics.pending == 0 })
            changes.apply(7)
            #expect(getter.loaded.isEmpty)
        }
    }

    @Test func `who waits too long gets an error`() async throws {
        let getter = HeldGetter()
        try await withGroup(getter, HeldChanges(), loadTimeout: .milliseconds(50)) { server, _ in
            // Whoever knows of changes never answers.
            let client = try TestClient(server.path)
            #expect(try client.ask("PGS.GET", "word:1", "AFTER", "8").text?.hasPrefix("TIMEOUT word") == true)
            #expect(getter.loaded.isEmpty)
        }
    }

    @Test func `within a transaction, and of a row, it is the same`() async throws {
        let changes = HeldChanges()
        let getter = HeldGetter { .text("value of \($0)") }
        try await withGroup(getter, changes) { server, _ in
            let client = try TestClient(server.path)
            for request in [["MULTI"], ["PGS.GET", "word:1", "AFTER", "3"], ["PGS.HGETALL", "row:1", "AFTER", "3"]] {
                try client.send(request)
                _ = try client.receive()
            }
            try client.send("EXEC")
            #expect(await eventually { changes.waitingCount == 2 })
            changes.apply(3)
            #expect(try client.receive() == .array([.bulk("value of 1"), .array([])]))
        }
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func `no answer is older than the position that it was asked with`(_ seed: UInt64) async throws {
        let changes = HeldChanges()
        let version = Groundwork.Mutex<UInt64>(1)
        // What each load has read, which is when it begins; it brings it later.
        let read = Groundwork.Mutex<[UInt64]>([])
        let getter = HeldGetter { _ in
            read.withLock { $0.append(version.withLock { $0 }) }
            return .held
        }
        try await withGroup(getter, changes) { server, served in
            let random = Groundwork.Mutex(SplitMix64(seed: seed))
            @Sendable func chance(_ count: UInt64) -> UInt64 { random.withLock { $0.next() % count } }
            let isOver = Groundwork.Mutex(false)
            let running = Groundwork.Mutex(4)
            let wrong = Groundwork.Mutex<[String]>([])
            let answers = Groundwork.Mutex(0)
            for reader in 0..<3 {
                let client = try TestClient(server.path)
                #expect(
                    startThread {
                        defer { running.withLock { $0 -= 1 } }
                        while !isOver.withLock({ $0 }) {
                            let after = version.withLock { $0 }
                            let isPlain = chance(3) == 0
                            let reply =
                                try? isPlain
                                ? client.ask("GET", "word:1") : client.ask("PGS.GET", "word:1", "AFTER", "\(after)")
                            answers.withLock { $0 += 1 }
                            guard let text = reply?.text, let got = UInt64(text), isPlain || got >= after else {
                                wrong.withLock { $0.append("reader \(reader): \(after), \(String(describing: reply))") }
                                return
                            }
                        }
                    })
            }
            #expect(
                startThread {
                    defer { running.withLock { $0 -= 1 } }
                    // A reader's last question may load, too.
                    while running.withLock({ $0 }) > 1 {
                        guard let flight = getter.next() else { continue }
                        let text = read.withLock { $0.removeFirst() }
                        usleep(UInt32(chance(300)))
                        flight.succeed("\(text)")
                    }
                })
            // So many changes, and on a slow machine as many more as the readers need.
            var changed = 0
            while changed < 400 || answers.withLock({ $0 }) <= 100 && wrong.withLock({ $0.isEmpty }) {
                changed += 1
                let next = version.withLock { version in
                    version += 1
                    return version
                }
                usleep(UInt32(chance(500)))
                if chance(8) == 0 { changes.giveUp() }
                served.group.invalidate(Key("1"))
                changes.apply(next)
            }
            isOver.withLock { $0 = true }
            changes.apply(.max)
            #expect(await eventually { running.withLock { $0 } == 0 })
            #expect(wrong.withLock { $0 } == [])
            #expect(answers.withLock { $0 } > 100)
        }
    }
}
