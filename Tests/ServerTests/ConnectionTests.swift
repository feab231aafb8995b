import CacheCore
import Foundation
import Groundwork
import Server
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10)))
struct ConnectionTests {
    @Test func `what was asked before a half-close is answered, then the connection is closed`() async throws {
        let getter = HeldGetter { $0 == "slow" ? .held : .text($0) }
        try await withServer([try served("word", getter)]) { server in
            let client = try TestClient(server.path)
            for key in ["a", "slow", "b"] { try client.send("GET", "word:\(key)") }
            client.shutWrite()
            #expect(getter.finish("slow", "s"))
            for key in ["a", "s", "b"] { #expect(try client.receive() == .bulk(key)) }
            #expect(try client.isAtEnd())
        }
    }

    @Test func `a client that half-closed and then goes is forgotten`() async throws {
        let getter = HeldGetter()
        try await withServer([try served("word", getter)]) { server in
            do {
                let client = try TestClient(server.path)
                try client.send("GET", "word:slow")
                client.shutWrite()
                #expect(getter.waitForLoads(1))
                withExtendedLifetime(client) {}
            }
            #expect(await eventually { server.server.statistics.clients == 0 })
            #expect(!getter.isWanted("slow"))
        }
    }

    @Test(
        arguments: [
            ("*1\r\n+PING\r\n", "ERR Protocol error: expected '$', got '+'"),
            ("*999999999\r\n", "ERR Protocol error: invalid multibulk length"),
            ("*1\r\n$-1\r\n", "ERR Protocol error: invalid bulk length"),
            ("*1\r\n$99999999999999999999\r\n", "ERR Protocol error: invalid bulk length"),
        ])
    func `a malformed request is answered and the connection closed, after the replies before it`(
        _ bytes: String, _ text: String
    ) async throws {
        try await withServer([try served("word", HeldGetter { .text($0) })]) { server in
            let client = try TestClient(server.path)
            try client.send("GET", "word:a")
            try client.send(raw: bytes)
            #expect(try client.receive() == .bulk("a"))
            #expect(try client.receive() == .error(text))
            #expect(try client.isAtEnd())
            #expect(server.server.statistics.protocolErrors == 1)
        }
    }

    @Test(arguments: ["POST / HTTP/1.1\r\n", "Host: localhost\r\n"])
    func `a browser's request is closed without a word`(_ bytes: String) async throws {
        try await withServer([]) { server in
            let client = try TestClient(server.path)
            try client.send(raw: bytes)
            #expect(try client.isAtEnd())
        }
    }

    @Test func `a request beyond max_request is refused`() async throws {
        try await withServer([], configure: { $0.maxRequest = 1000 }) { server in
            let client = try TestClient(server.path)
            try client.send("ECHO", String(repeating: "x", count: 2000))
            #expect(try client.receive().text?.hasPrefix("ERR Protocol error") == true)
            #expect(try client.isAtEnd())
        }
    }

    @Test func `a client that is still writing a request beyond max_request can finish, and reads why it is refused`()
        async throws
    {
        try await withServer([], configure: { $0.maxRequest = 1 << 20 }) { server in
            for size in [2 << 20, 40 << 20] {
                let client = try TestClient(server.path)
                let text = String(repeating: "x", count: size)
                try client.send(raw: TestClient.encoded(["PING"]) + TestClient.encoded(["ECHO", text]))
                #expect(try client.receive() == .simpleString("PONG"))
                #expect(try client.receive().text?.hasPrefix("ERR Protocol error: ") == true)
                #expect(try client.isAtEnd())
            }
            #expect(await eventually { server.server.statistics.clients == 0 })
        }
    }

    @Test func `a client that goes on writing after it was refused is closed in the end`() async throws {
        try await withServer([], configure: { $0.writeTimeout = .milliseconds(50) }) { server in
            let client = try TestClient(server.path)
            try client.send(raw: "*1\r\n+")
            #expect(try client.receive().text?.hasPrefix("ERR Protocol error: ") == true)
            #expect(try client.isAtEnd())
            #expect(await eventually { server.server.statistics.clients == 0 })
            withExtendedLifetime(client) {}
        }
    }

    @Test func `before the password a client may have little stored, and little waiting`() async throws {
        try await withServer([], configure: { $0.password = "s3cret" }) { server in
            let client = try TestClient(server.path)
            try client.send("ECHO", String(repeating: "x", count: 200_000))
            #expect(try client.receive().text?.hasPrefix("ERR Protocol error: too big") == true)
            #expect(try client.isAtEnd())
            // One that writes and does not read is not read from for long.
            let writer = try TestClient(server.path)
            let requests = (0..<200_000).flatMap { _ in TestClient.encoded(["PING"]) }
            let sent = writer.sendUntilBlocked(requests)
            #expect(sent < 1 << 20)
            #expect(server.server.statistics.replyBytes < 64 << 10)
            let other = try TestClient(server.path)
            #expect(try other.ask("AUTH", "s3cret") == .simpleString("OK"))
            let text = String(repeating: "x", count: 500_000)
            #expect(try other.ask("ECHO", text) == .bulk(text))
            withExtendedLifetime(writer) {}
        }
    }

    @Test func `a large request arrives in parts and is answered`() async throws {
        try await withServer([]) { server in
            let client = try TestClient(server.path)
            let text = String(repeating: "0123456789", count: 90_000)
            #expect(try client.ask("ECHO", text) == .bulk(text))
        }
    }

    @Test func `QUIT is answered, what follows is not`() async throws {
        try await withServer([]) { server in
            let client = try TestClient(server.path)
            try client.send(raw: TestClient.encoded(["QUIT"]) + TestClient.encoded(["PING"]))
            #expect(try client.receive() == .simpleString("OK"))
            #expect(try client.isAtEnd())
        }
    }

    @Test func `the client after the last that is let in gets an error`() async throws {
        try await withServer([], configure: { $0.maxClients = 2 }) { server in
            let first = try TestClient(server.path)
            #expect(try first.ask("PING") == .simpleString("PONG"))
            do {
                let second = try TestClient(server.path)
                #expect(try second.ask("PING") == .simpleString("PONG"))
                let third = try TestClient(server.path)
                #expect(try third.receive() == .error("ERR max number of clients reached"))
                #expect(try third.isAtEnd())
                withExtendedLifetime(second) {}
            }
            #expect(await eventually { server.server.statistics.clients == 1 })
            let fourth = try TestClient(server.path)
            #expect(try fourth.ask("PING") == .simpleString("PONG"))
            #expect(server.server.statistics.rejected == 1)
        }
    }

    @Test func `only allowed users get in`() async throws {
        try await withServer([], configure: { $0.allowedUsers = [getuid()] }) { server in
            let client = try TestClient(server.path)
            #expect(try client.ask("PING") == .simpleString("PONG"))
        }
        try await withServer([], configure: { $0.allowedUsers = [getuid() + 1] }) { server in
            let client = try TestClient(server.path)
            #expect(try client.receive() == .error("NOPERM user \(getuid()) is not allowed to connect"))
            #expect(try client.isAtEnd())
        }
    }

    @Test func `a client that does not read is read from up to a bound, and goes on when it reads`() async throws {
        let value = String(repeating: "v", count: 1000)
        let group = try served("word", HeldGetter { _ in .text(value) })
        try await withServer(
            [group],
            configure: {
                $0.maxOutput = 100_000
                $0.maxPipeline = 100_000
            }
        ) { server in
            let client = try TestClient(server.path)
            let requests = (0..<20_000).flatMap { _ in TestClient.encoded(["GET", "word:a"]) }
            let sent = client.sendUntilBlocked(requests)
            #expect(sent > 100_000)
            #expect(sent < requests.count)
            // The others stay in the kernel; another client is served all the same.
            #expect(try TestClient(server.path).ask("PING") == .simpleString("PONG"))
            #expect(server.server.statistics.commands < 20_000)
            let rest = Array(requests[sent...])
            Thread { try? client.send(raw: rest) }.start()
            for _ in 0..<20_000 { #expect(try client.receive() == .bulk(value)) }
        }
    }

    @Test func `a client that reads nothing for the write timeout is closed`() async throws {
        let value = String(repeating: "v", count: 1 << 20)
        let group = try served("word", HeldGetter { _ in .text(value) })
        let log = LogRecorder()
        try await withServer([group], log: log, configure: { $0.writeTimeout = .milliseconds(50) }) { server in
            let clients = try (0..<5).map { _ in try TestClient(server.path) }
            for client in clients { for _ in 0..<8 { try client.send("GET", "word:a") } }
            #expect(await eventually { server.server.statistics.slowReaders == 5 })
            #expect(await eventually { server.server.statistics.clients == 0 })
            #expect(log.messages.count == 5)
            for message in log.messages {
                #expect(message.hasPrefix("warning: client ") && message.hasSuffix("it read nothing for 0.05 seconds"))
            }
            withExtendedLifetime(clients) {}
        }
    }

    @Test func `the write timeout counts from when the client stopped reading, not from its last reply`() async throws {
        let value = String(repeating: "v", count: 1000)
        let group = try served("word", HeldGetter { _ in .text(value) })
        try await withServer([group], configure: { $0.writeTimeout = .seconds(5) }) { server in
            let client = try TestClient(server.path)
            // Idle for longer than the timeout: poll(2) is the wait, as the loop's clock can't be moved.
            #expect(!client.hasInput(within: 5200))
            // Replies of 16 KiB at a time: the one that does not fit is not taken in part.
            try client.send(raw: (0..<4000).flatMap { _ in TestClient.encoded(["GET", "word:a"]) })
            for _ in 0..<4000 { #expect(try client.receive() == .bulk(value)) }
            #expect(server.server.statistics.slowReaders == 0)
        }
    }

    @Test func `requests beyond the pending bound wait and are answered in order`() async throws {
        let getter = HeldGetter()
        let group = try served("word", getter)
        try await withServer([group], configure: { $0.maxPendingReplies = 4 }) { server in
            let client = try TestClient(server.path)
            for index in 0..<20 { try client.send("GET", "word:\(index)") }
            #expect(getter.waitForLoads(4))
            #expect(server.server.statistics.pending == 4)
            for index in 0..<20 { #expect(getter.finish("\(index)", "v\(index)")) }
            for index in 0..<20 { #expect(try client.receive() == .bulk("v\(index)")) }
        }
    }

    @Test func `requests of a client that waits for many keys wait, without an error and without being loaded`()
        async throws
    {
        let getter = HeldGetter()
        let group = try served("word", getter)
        try await withServer([group], configure: { $0.maxPendingKeys = 5 }) { server in
            let client = try TestClient(server.path)
            try client.send("MGET", "word:0", "word:1", "word:0", "word:2")
            try client.send("MGET", "word:3", "word:4", "word:5", "word:6")
            for index in 7..<10 { try client.send("GET", "word:\(index)") }
            // The second one was begun, and is not interrupted.
            #expect(getter.waitForLoads(7))
            #expect(server.server.statistics.pending == 7)
            // Others are not concerned.
            let other = try TestClient(server.path)
            try other.send("GET", "word:x")
            #expect(getter.finish("x", "vx"))
            #expect(try other.receive() == .bulk("vx"))
            #expect(getter.loaded.count == 8)
            for index in 0..<10 { #expect(getter.finish("\(index)", "v\(index)")) }
            #expect(try client.receive() == .array([.bulk("v0"), .bulk("v1"), .bulk("v0"), .bulk("v2")]))
            #expect(try client.receive() == .array((3..<7).map { .bulk("v\($0)") }))
            for index in 7..<10 { #expect(try client.receive() == .bulk("v\(index)")) }
        }
    }

    @Test func `a reply beyond max_output is an error, from memory or loaded`() async throws {
        let value = String(repeating: "v", count: 30_000)
        let getter = HeldGetter { $0 == "small" ? .text("s") : .text(value) }
        try await withServer([try served("word", getter)], configure: { $0.maxOutput = 50_000 }) { server in
            let client = try TestClient(server.path)
            let tooLarge = Reply.error("TOOLARGE the reply would take more than max_output (50000 bytes)")
            #expect(try client.ask("MGET", "word:a", "word:b", "word:c") == tooLarge)
            #expect(try client.ask("MGET", "word:a", "word:b", "word:c") == tooLarge)
            #expect(try client.ask("MGET", "word:a", "word:small") == .array([.bulk(value), .bulk("s")]))
            #expect(server.server.statistics.pending == 0)
        }
    }

    @Test func `thousands of idle connections are served in turn`() async throws {
        try await withServer([try served("word", HeldGetter { .text($0) })]) { server in
            let clients = try (0..<500).map { _ in try TestClient(server.path) }
            for client in clients { #expect(try client.ask("GET", "word:a") == .bulk("a")) }
            #expect(server.server.statistics.clients == 500)
        }
    }
}
