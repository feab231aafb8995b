import CacheCore
import Groundwork
import Server
import TestSupport
import Testing

/// A request whose answer finds no room is executed again when there is some. What it does is done once all the same.
@Suite(.timeLimit(.minutes(10)))
struct RepetitionTests {
    /// Clients that hold all the room for replies, and read nothing. They go when others have waited for some seconds.
    private func hold(all server: TestServer) async throws -> [TestClient] {
        let clients = try (0..<12).map { index in
            let client = try TestClient(server.path)
            try client.send(raw: (0..<4).flatMap { Question.get("\(index)x\($0)", 300_000).request })
            return client
        }
        #expect(await eventually { server.server.statistics.replyBytes > 3 << 19 })
        return clients
    }

    private func configure(_ settings: inout ServerSettings) {
        settings.maxOutput = 1 << 20
        settings.maxBuffers = 4 << 20
    }

    @Test func `PGS.REFRESH loads once though its value has to wait for room`() async throws {
        let getter = Question.getter()
        try await withServer([try served("row", getter, shape: .row)], loops: 1, configure: configure) { server in
            let others = try await hold(all: server)
            let client = try TestClient(server.path)
            try client.send(raw: TestClient.encoded(["PGS.REFRESH", "row:mine-300000"]))
            #expect(try client.receives(Question.get("mine", 300_000).reply))
            #expect(getter.loaded.count { $0 == "mine-300000" } == 1)
            withExtendedLifetime(others) {}
        }
    }

    @Test func `UNSUBSCRIBE confirms each channel once, though there is no room`() async throws {
        let group = try served("row", Question.getter(), shape: .row)
        try await withServer([group], loops: 1, configure: configure) { server in
            let channels = (0..<1500).map { "\($0) " + String(repeating: "c", count: 80) }
            let client = try TestClient(server.path)
            try client.send(["SUBSCRIBE"] + channels)
            for _ in channels { _ = try client.receive() }
            let others = try await hold(all: server)
            try client.send("UNSUBSCRIBE")
            var left: [Reply] = []
            for _ in channels {
                guard case .array(let parts) = try client.receive(), parts.count == 3 else { break }
                left.append(parts[2])
            }
            #expect(left == (0..<1500).reversed().map { .integer($0) })
            withExtendedLifetime(others) {}
        }
    }

    @Test func `an operation is begun once, though its answer waits behind what nobody reads`() async throws {
        let begun = Groundwork.Mutex(0)
        let operations = Operations(reload: { done in
            begun.withLock { $0 += 1 }
            done(.success("read"))
        })
        let value = String(repeating: "v", count: 400_000)
        let word = try served("word", HeldGetter { _ in .text(value) })
        let row = try served("row", Question.getter(), shape: .row)
        try await withServer([word, row], loops: 1, operations: operations, configure: configure) { server in
            let client = try TestClient(server.path)
            for key in ["word:a", "word:b"] { try client.send("GET", key) }
            #expect(await eventually { server.server.statistics.replyBytes > 800_000 })
            // More than those may hold whose turn has not come, and less than anybody has to wait for.
            let other = try TestClient(server.path)
            try other.send(raw: Question.get("other", 300_000).request)
            #expect(await eventually { server.server.statistics.replyBytes > 1 << 20 })
            try client.send("PGS.RELOAD")
            #expect(await eventually { begun.withLock { $0 } == 1 })
            #expect(try TestClient(server.path).ask("PING") == .simpleString("PONG"))
            for _ in 0..<2 { #expect(try client.receive() == .bulk(value)) }
            #expect(try client.receive() == .bulk("read"))
            #expect(begun.withLock { $0 } == 1)
            withExtendedLifetime(other) {}
        }
    }
}
