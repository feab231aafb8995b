import CacheCore
import Foundation
import Groundwork
import Server
import TestSupport
import Testing

/// One client's doings don't hold up another.
@Suite(.timeLimit(.minutes(10)))
struct FairnessTests {
    private func rows() throws -> ServedGroup { try served("row", Question.getter(), shape: .row) }

    /// Clients that asked for so much that nothing may wait for anybody any more, and read nothing, or a byte now and then.
    private func unread(_ server: TestServer, _ count: Int) throws -> [TestClient] {
        try (0..<count).map { index in
            let client = try TestClient(server.path)
            try client.send(raw: (0..<4).flatMap { Question.get("\(index)x\($0)", 300_000).request })
            return client
        }
    }

    @Test func `a client that reads gets its large reply though others hold all the room and read nothing`()
        async throws
    {
        try await withServer(
            [try rows()], loops: 2,
            configure: {
                $0.maxOutput = 1 << 20
                $0.maxBuffers = 4 << 20
                // No help for the one that waits.
                $0.writeTimeout = .seconds(3600)
            }
        ) { server in
            let others = try unread(server, 12)
            #expect(await eventually { server.server.statistics.replyBytes > 3 << 19 })
            let isOver = Groundwork.Mutex(false)
            Thread.detachNewThread {
                while !isOver.withLock({ $0 }) {
                    for other in others.prefix(6) { _ = try? other.receives([UInt8(ascii: "$")], atMost: 1) }
                    Thread.sleep(forTimeInterval: 0.05)
                }
            }
            for number in 0..<4 {
                let question = Question.get("mine\(number)", 300_000)
                let client = try TestClient(server.path)
                try client.send(raw: question.request)
                #expect(try client.receives(question.reply))
            }
            isOver.withLock { $0 = true }
        }
    }

    @Test func `a client that waits for a load is told of changes though others hold all the room`() async throws {
        let held = HeldGetter { $0 == "held" ? .held : .text($0) }
        try await withServer(
            [try rows(), try served("word", held)], loops: 1,
            configure: {
                $0.maxOutput = 1 << 20
                $0.maxBuffers = 4 << 20
            }
        ) { server in
            let client = try TestClient(server.path)
            _ = try client.ask("HELLO", "3")
            _ = try client.ask("CLIENT", "TRACKING", "ON")
            _ = try client.ask("GET", "word:a")
            try client.send("GET", "word:held")
            #expect(held.waitForLoads(2))
            let others = try unread(server, 12)
            #expect(await eventually { server.server.statistics.replyBytes >= 2 << 20 - 1 << 19 })
            let other = try TestClient(server.path)
            #expect(try other.ask("DEL", "word:a") == .integer(1))
            #expect(held.finish("held", "late"))
            #expect(try client.receive() == .bulk("late"))
            #expect(try client.receive() == .push([.bulk("invalidate"), .array([.bulk("word:a")])]))
            _ = others
        }
    }

    @Test func `a client that holds much and is to be told of a change is closed when there is no room for that`()
        async throws
    {
        let held = HeldGetter { $0 == "held" ? .held : .text(String(repeating: $0, count: 15_000)) }
        let log = LogRecorder()
        try await withServer(
            [try served("word", held)], loops: 1, log: log,
            configure: {
                $0.maxOutput = 512 << 10
                $0.maxBuffers = 2 << 20
                // However slow the machine is, the others are not closed.
                $0.writeTimeout = .seconds(3600)
            }
        ) { server in
            let client = try TestClient(server.path)
            _ = try client.ask("HELLO", "3")
            _ = try client.ask("CLIENT", "TRACKING", "ON")
            for key in ["held", "a", "a"] { try client.send("GET", "word:\(key)") }
            #expect(await eventually { server.server.statistics.replyBytes > 30_000 })
            // Short replies are not deferred, so they fill all the room there is.
            let others = try (0..<12).map { _ in
                let other = try TestClient(server.path)
                try other.send(raw: (0..<60).flatMap { _ in TestClient.encoded(["GET", "word:b"]) })
                return other
            }
            #expect(await eventually { server.server.statistics.replyBytes >= 1 << 20 })
            #expect(try TestClient(server.path).ask("DEL", "word:a") == .integer(1))
            #expect(await eventually { server.server.statistics.slowReaders == 1 })
            #expect(log.messages.count == 1)
            #expect(log.messages.allSatisfy { $0.hasSuffix("replies of all clients hold all the room (max_buffers)") })
            withExtendedLifetime((client, others)) {}
        }
    }

    @Test func `requests that are cheap to write and dear to answer are answered in turns`() async throws {
        try await withServer([try rows()], loops: 1) { server in
            let subscriber = try TestClient(server.path)
            try subscriber.send(["SUBSCRIBE"] + (0..<300).map { "channel \($0)" })
            for _ in 0..<300 { _ = try subscriber.receive() }
            let client = try TestClient(server.path)
            let request = TestClient.encoded(["PUBSUB", "CHANNELS", "*no*such*"])
            let count = 200
            try client.send(raw: (0..<count).flatMap { _ in request })
            // All fit into one read, and their replies into one write.
            #expect(try client.receives(Array("*0\r\n".utf8)))
            #expect(try TestClient(server.path).ask("PING") == .simpleString("PONG"))
            #expect(client.waiting < (count - 1) * 4)
            #expect(try client.receives(Array(repeating: Array("*0\r\n".utf8), count: count - 1).flatMap { $0 }))
        }
    }

    @Test func `a client can send its request though others hold all the room by requests that they don't finish`()
        async throws
    {
        let log = LogRecorder()
        try await withServer(
            [try rows()], loops: 2, log: log,
            configure: {
                $0.maxOutput = 1 << 20
                $0.maxBuffers = 4 << 20
            }
        ) { server in
            let request = TestClient.encoded(["ECHO", String(repeating: "x", count: 900_000)])
            let others = try (0..<3).map { _ in try TestClient(server.path) }
            for other in others { _ = other.sendUntilBlocked(Array(request.prefix(800_000))) }
            // It is told that there is no room, and tries again.
            #expect(
                try await eventually {
                    let client = try TestClient(server.path)
                    Thread.detachNewThread { try? client.send(raw: request) }
                    return try client.receive().text?.count == 900_000
                })
            #expect(log.messages.contains { $0.contains("stopped in the middle of a request") })
            withExtendedLifetime(others) {}
        }
    }

    @Test func `a client whose requests found no room is read again when others gave theirs back`() async throws {
        let held = HeldGetter()
        try await withServer(
            [try served("word", held)], loops: 1,
            configure: {
                $0.maxOutput = 1 << 20
                $0.maxBuffers = 2 << 20
                $0.maxPendingReplies = 1
            }
        ) { server in
            // Requests behind one that waits, as much as may be read of all clients.
            let request = TestClient.encoded(["ECHO", String(repeating: "x", count: 10_000)])
            let waiting = Array(repeating: request, count: 300).flatMap { $0 }
            let other = try TestClient(server.path)
            try other.send("GET", "word:a")
            #expect(other.sendUntilBlocked(waiting) < waiting.count)
            let client = try TestClient(server.path)
            try client.send("GET", "word:b")
            let some = Array(waiting.prefix(800_000))
            let sent = client.sendUntilBlocked(some)
            #expect(sent < some.count)
            other.end(abruptly: false)
            // Its own first reply is still waited for.
            var rest = sent
            #expect(
                await eventually {
                    rest += client.sendUntilBlocked(Array(some[rest...]))
                    return rest == some.count
                })
            #expect(held.finish("b", "b"))
            #expect(try client.receive() == .bulk("b"))
        }
    }

    @Test
    func `a short reply that was let go is sent when its turn comes, though those who do not read hold all the room`()
        async throws
    {
        let getter = HeldGetter { key in
            switch key {
            case "hold": .held
            case "small": .text(String(repeating: "s", count: 12_000))
            default: .text(String(repeating: "l", count: 347_000))
            }
        }
        let configure: (inout ServerSettings) -> Void = {
            $0.maxOutput = 1 << 20
            $0.maxBuffers = 2 << 20
            // However slow the machine is, they are not closed.
            $0.writeTimeout = .seconds(600)
        }
        try await withServer([try served("word", getter)], loops: 1, configure: configure) { server in
            // Three times what the kernel does not take is all the room there is.
            let readers = try (0..<3).map { _ in try TestClient(server.path) }
            for (number, reader) in readers.enumerated() { try reader.send("GET", "word:\(number)") }
            let client = try TestClient(server.path)
            #expect(await eventually { server.server.statistics.replyBytes > 1_040_000 })
            try client.send("GET", "word:hold")
            try client.send("GET", "word:small")
            #expect(await eventually { getter.loaded.contains("small") })
            // What was loaded has reached the loop before this is answered.
            let other = try TestClient(server.path)
            #expect(try other.ask("PING") == .simpleString("PONG"))
            #expect(getter.finish("hold", .success(Value(text: Array("held".utf8)))))
            #expect(try client.receive() == .bulk(Array("held".utf8)))
            #expect(try client.receive() == .bulk(Array(repeating: UInt8(ascii: "s"), count: 12_000)))
            for reader in readers {
                #expect(try reader.receive() == .bulk(Array(repeating: UInt8(ascii: "l"), count: 347_000)))
            }
        }
    }
}
