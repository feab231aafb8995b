import Foundation
import Server
import Synchronization
import TestSupport
import Testing

@testable import CacheCore

/// Keyspace events, as subscribers get them.
@Suite(.timeLimit(.minutes(10)))
struct SubscriptionTests {
    private func words(_ settings: (inout GroupSettings) -> Void = { _ in }) throws -> ServedGroup {
        try served("word", HeldGetter { .text($0) }, settings: settings)
    }

    private func array(_ texts: String...) -> Reply { .array(texts.map { .bulk($0) }) }
    private func push(_ texts: String...) -> Reply { .push(texts.map { .bulk($0) }) }

    @Test func `a subscriber hears what happens to keys, on any loop`() async throws {
        let words = try words { $0.timeToLive = .milliseconds(40) }
        let now = try served("now", HeldGetter(keyParts: 0) { _ in .text("noon") })
        try await withServer([words, now]) { server in
            for _ in 0..<2 {
                let (subscriber, asking) = (try TestClient(server.path), try TestClient(server.path))
                let loaded = "__keyevent@0__:loaded"
                #expect(
                    try subscriber.ask("SUBSCRIBE", loaded, "__keyspace@0__:word:a")
                        == .array([.bulk("subscribe"), .bulk(loaded), .integer(1)]))
                #expect(
                    try subscriber.receive()
                        == .array([.bulk("subscribe"), .bulk("__keyspace@0__:word:a"), .integer(2)]))
                _ = try asking.ask("GET", "now")
                #expect(try subscriber.receive() == array("message", loaded, "now"))
                _ = try asking.ask("GET", "word:a")
                #expect(try subscriber.receive() == array("message", "__keyspace@0__:word:a", "loaded"))
                #expect(try subscriber.receive() == array("message", loaded, "word:a"))
                #expect(await eventually { (try? asking.ask("TTL", "word:a")) == .integer(-2) })
                #expect(try subscriber.receive() == array("message", "__keyspace@0__:word:a", "expired"))
                _ = try asking.ask("DEL", "now")
                // Takes the next loop in the next turn.
                _ = try TestClient(server.path).ask("PING")
            }
        }
    }

    @Test func `in RESP3 events are pushes, also those of the client's own requests, between its replies`() async throws
    {
        try await withServer([try words()]) { server in
            let client = try TestClient(server.path)
            _ = try client.ask("HELLO", "3")
            #expect(
                try client.ask("PSUBSCRIBE", "__keyevent@0__:[li]*")
                    == .push([.bulk("psubscribe"), .bulk("__keyevent@0__:[li]*"), .integer(1)]))
            try client.send("GET", "word:a")
            let both = [try client.receive(), try client.receive()]
            #expect(both.contains(.bulk("a")))
            #expect(both.contains(push("pmessage", "__keyevent@0__:[li]*", "__keyevent@0__:loaded", "word:a")))
            #expect(try client.ask("DEL", "word:a") == .integer(1))
            #expect(
                try client.receive()
                    == push("pmessage", "__keyevent@0__:[li]*", "__keyevent@0__:invalidated", "word:a"))
            #expect(try client.ask("PING") == .simpleString("PONG"))
        }
    }

    @Test func `in RESP2 a subscriber may ask little else`() async throws {
        try await withServer([try words()]) { server in
            let client = try TestClient(server.path)
            let requests = [
                ["SUBSCRIBE", "c"], ["GET", "word:a"], ["get", "word:a"], ["PING"], ["PING", "x"], ["ECHO", "x"],
            ]
            try client.send(raw: requests.flatMap { TestClient.encoded($0) })
            #expect(try client.receive() == .array([.bulk("subscribe"), .bulk("c"), .integer(1)]))
            for _ in 0..<2 {
                #expect(try client.receive().text?.hasPrefix("ERR Can't execute 'get': only (P)SUBSCRIBE ") == true)
            }
            #expect(try client.receive() == array("pong", ""))
            #expect(try client.receive() == array("pong", "x"))
            #expect(try client.receive().text?.hasPrefix("ERR Can't execute 'echo'") == true)
            #expect(
                try client.ask("UNSUBSCRIBE") == .array([.bulk("unsubscribe"), .bulk("c"), .integer(0)]))
            #expect(try client.ask("PUNSUBSCRIBE") == .array([.bulk("punsubscribe"), .null, .integer(0)]))
            #expect(try client.ask("GET", "word:a") == .bulk("a"))
            _ = try client.ask("SUBSCRIBE", "c")
            #expect(try client.ask("RESET") == .simpleString("RESET"))
            #expect(try client.ask("PING") == .simpleString("PONG"))
            _ = try client.ask("SUBSCRIBE", "c")
            #expect(try client.ask("QUIT") == .simpleString("OK"))
            #expect(try client.isAtEnd())
        }
    }

    @Test(arguments: ["alone", "pipelined"])
    func `in RESP2 a subscriber's GET is refused, from memory and loaded`(_ sending: String) async throws {
        try await withServer([try words()]) { server in
            let client = try TestClient(server.path)
            _ = try client.ask("GET", "word:a")
            _ = try client.ask("SUBSCRIBE", "c")
            for key in ["a", "b"] {
                if sending == "alone" {
                    try client.send("GET", "word:\(key)")
                } else {
                    try client.send(raw: TestClient.encoded(["GET", "word:\(key)"]) + TestClient.encoded(["PING"]))
                }
                #expect(try client.receive().text?.hasPrefix("ERR Can't execute 'get': only (P)SUBSCRIBE ") == true)
                if sending == "pipelined" { #expect(try client.receive() == array("pong", "")) }
            }
        }
    }

    @Test func `subscribers that go while events are told are told nothing more, and nobody else is told theirs`()
        async throws
    {
        try await withServer([try words()], loops: 1) { server in
            let staying = try TestClient(server.path)
            _ = try staying.ask("PSUBSCRIBE", "__keyspace@0__:word:*")
            let asking = try TestClient(server.path)
            for index in 0..<200 {
                let leaving = try TestClient(server.path)
                _ = try leaving.ask("SUBSCRIBE", "__keyevent@0__:loaded")
                // The event, and the going of one whom it is for, come in one round or in two, in either order.
                try asking.send("GET", "word:\(index)")
                leaving.end(abruptly: index % 2 == 0)
                #expect(try asking.receive() == .bulk("\(index)"))
                #expect(
                    try staying.receive()
                        == array("pmessage", "__keyspace@0__:word:*", "__keyspace@0__:word:\(index)", "loaded"))
                // A newcomer has the descriptor of the one that went, and hears its own only.
                let next = try TestClient(server.path)
                #expect(try next.ask("ECHO", "x\(index)") == .bulk("x\(index)"))
            }
        }
    }

    @Test func `groups are observed while somebody subscribes to their events, and only then`() async throws {
        let words = try words()
        func isObserved() -> Bool { words.group.observers.exist }
        try await withServer([words]) { server in
            let client = try TestClient(server.path)
            #expect(!isObserved())
            _ = try client.ask("SUBSCRIBE", "news")
            #expect(!isObserved())
            _ = try client.ask("SUBSCRIBE", "__keyevent@0__:evicted")
            #expect(isObserved())
            let other = try TestClient(server.path)
            _ = try other.ask("PSUBSCRIBE", "*")
            _ = try client.ask("UNSUBSCRIBE", "__keyevent@0__:evicted")
            #expect(isObserved())
            #expect(try other.ask("QUIT") == .simpleString("OK"))
            #expect(try other.isAtEnd())
            #expect(await eventually { !isObserved() })
        }
    }

    @Test func `a subscriber that does not read is closed at its bound, the others are not`() async throws {
        let log = LogRecorder()
        try await withServer([try words()], loops: 1, log: log, configure: { $0.maxOutput = 1 << 20 }) { server in
            let (slow, fast) = (try TestClient(server.path), try TestClient(server.path))
            for client in [slow, fast] { _ = try client.ask("SUBSCRIBE", "__keyevent@0__:loaded") }
            let asking = try TestClient(server.path)
            let padding = String(repeating: "k", count: 1000)
            for index in 0..<2500 {
                #expect(try asking.ask("EXISTS", "word:\(padding)\(index)") == .integer(1))
                #expect(try fast.receive() == array("message", "__keyevent@0__:loaded", "word:\(padding)\(index)"))
            }
            #expect(await eventually { server.server.statistics.clients == 2 })
            #expect(server.server.statistics.slowReaders == 1)
            #expect(log.messages.contains { $0.hasSuffix("it was to be told more than may wait for it (max_output)") })
            withExtendedLifetime(slow) {}
        }
    }

    @Test func `more events than a loop can tell close its subscribers, so that they know of the loss`() async throws {
        // On one loop, which can't tell any event before the command that brings them all is done.
        let log = LogRecorder()
        try await withServer([try words()], loops: 1, log: log, configure: { $0.maxOutput = 64 << 10 }) { server in
            let asking = try TestClient(server.path)
            for index in 0..<2000 { _ = try asking.ask("GET", "word:\(index)") }
            let subscriber = try TestClient(server.path)
            _ = try subscriber.ask("PSUBSCRIBE", "__keyspace@0__:*")
            #expect(try asking.ask("FLUSHALL") == .simpleString("OK"))
            #expect(await eventually { server.server.statistics.clients == 1 })
            #expect(try asking.ask("PING") == .simpleString("PONG"))
            #expect(log.messages.contains { $0.hasSuffix("it was to be told more events than its loop can keep") })
        }
    }

    @Test func `a client's subscriptions are bounded`() async throws {
        try await withServer([try words()]) { server in
            let client = try TestClient(server.path)
            let long = String(repeating: "c", count: 200 << 10)
            guard case .array = try client.ask("SUBSCRIBE", long) else {
                Issue.record("the first subscription is refused")
                return
            }
            #expect(
                try client.ask("SUBSCRIBE", long + "2").text?.hasPrefix("ERR a client's subscriptions may take") == true
            )
            _ = try client.ask("UNSUBSCRIBE")
            guard case .array = try client.ask("PSUBSCRIBE", long + "2") else {
                Issue.record("what was given back is not there")
                return
            }
            #expect(
                try TestClient(server.path).ask("CONFIG", "GET", "notify-keyspace-events")
                    == array("notify-keyspace-events", "AKE"))
        }
    }
}
