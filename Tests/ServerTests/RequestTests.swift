import CacheCore
import Foundation
import Groundwork
import Server
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10)))
struct RequestTests {
    @Test func `a key is loaded once and then comes from memory`() async throws {
        let getter = HeldGetter { .text("value of \($0)") }
        try await withServer([try served("word", getter)]) { server in
            let client = try TestClient(server.path)
            #expect(try client.ask("GET", "word:a") == .bulk("value of a"))
            #expect(try client.ask("GET", "word:a") == .bulk("value of a"))
            #expect(getter.loaded == ["a"])
        }
    }

    @Test func `replies leave in the order of the requests`() async throws {
        let getter = HeldGetter { $0 == "slow" ? .held : .text($0) }
        let bad = HeldGetter { _ in .error(LoadError(.unavailable, "the database is away")) }
        try await withServer([try served("word", getter), try served("bad", bad)]) { server in
            let client = try TestClient(server.path)
            #expect(try client.ask("GET", "word:warm") == .bulk("warm"))
            try client.send("GET", "word:slow")
            try client.send("GET", "word:warm")
            try client.send("GET", "bad:x")
            try client.send("PING")
            try client.send("GET", "nothing:1")
            #expect(!client.hasInput(within: 100))
            #expect(getter.finish("slow", "at last"))
            #expect(try client.receive() == .bulk("at last"))
            #expect(try client.receive() == .bulk("warm"))
            #expect(try client.receive() == .error("UNAVAILABLE the database is away"))
            #expect(try client.receive() == .simpleString("PONG"))
            #expect(
                try client.receive()
                    == .error("ERR no group 'nothing' in the key 'nothing:1'; known groups: word, bad. " + prefixHint))
        }
    }

    @Test func `pipelined misses are under way together`() async throws {
        let getter = HeldGetter()
        try await withServer([try served("word", getter)]) { server in
            let client = try TestClient(server.path)
            for key in ["a", "b", "c"] { try client.send("GET", "word:\(key)") }
            #expect(getter.waitForLoads(3))
            for key in ["c", "b", "a"] { #expect(getter.finish(key, key)) }
            for key in ["a", "b", "c"] { #expect(try client.receive() == .bulk(key)) }
        }
    }

    @Test func `MGET mixes groups, hits, misses and missing rows in order, and asks for each key once`() async throws {
        let words = HeldGetter { $0 == "slow" ? .held : $0 == "none" ? .value(.missing) : .text($0) }
        let others = HeldGetter { .text("other " + $0) }
        let group = try served("word", words)
        try await withServer([group, try served("other", others)]) { server in
            let client = try TestClient(server.path)
            #expect(try client.ask("GET", "word:warm") == .bulk("warm"))
            try client.send(
                "MGET", "word:warm", "word:slow", "other:1", "word:none", "word:slow", "other:1", "word:slow")
            #expect(words.waitForLoads(2))
            #expect(await eventually { group.group.statistics.misses == 3 })
            #expect(words.finish("slow", "s"))
            #expect(
                try client.receive()
                    == .array([
                        .bulk("warm"), .bulk("s"), .bulk("other 1"), .null, .bulk("s"), .bulk("other 1"), .bulk("s"),
                    ]))
            #expect(group.group.statistics.misses == 3)
            #expect(others.loaded == ["1"])
        }
    }

    @Test(arguments: ["cold", "hot", "pipelined"])
    func `an MGET of which one key fails is that key's error, at once and as a whole`(_ mode: String) async throws {
        let words = HeldGetter {
            $0 == "slow" ? .held : $0 == "bad" ? .error(LoadError(.query, "no such column")) : .text($0)
        }
        try await withServer([try served("word", words)]) { server in
            let client = try TestClient(server.path)
            if mode == "hot" { _ = try client.ask("MGET", "word:a", "word:b") }
            if mode == "pipelined" { try client.send("PING") }
            // The one that is still under way is not waited for.
            try client.send("MGET", "word:a", "word:slow", "word:bad", "word:b")
            try client.send("MGET", "word:a", "what:1", "word:b")
            try client.send("GET", "word:a")
            if mode == "pipelined" { #expect(try client.receive() == .simpleString("PONG")) }
            #expect(try client.receive() == .error("QUERY key 'word:bad': no such column"))
            #expect(
                try client.receive()
                    == .error(
                        "ERR key 'what:1': no group 'what' in the key 'what:1'; known groups: word. " + prefixHint))
            #expect(try client.receive() == .bulk("a"))
            #expect(server.server.statistics.pending == 0)
        }
    }

    @Test func `a miss on one connection does not delay a hit on another`() async throws {
        let getter = HeldGetter { $0 == "slow" ? .held : .text($0) }
        try await withServer([try served("word", getter)], loops: 1) { server in
            let waiting = try TestClient(server.path)
            let other = try TestClient(server.path)
            try waiting.send("GET", "word:slow")
            #expect(getter.waitForLoads(1))
            #expect(try other.ask("GET", "word:a") == .bulk("a"))
            #expect(getter.finish("slow", "s"))
            #expect(try waiting.receive() == .bulk("s"))
        }
    }

    @Test func `a hundred clients on all loops cause one load of a key`() async throws {
        let getter = HeldGetter()
        let group = try served("word", getter)
        try await withServer([group]) { server in
            let clients = try (0..<100).map { _ in try TestClient(server.path) }
            for client in clients { try client.send("GET", "word:a") }
            #expect(await eventually { group.group.statistics.misses == 100 })
            #expect(getter.finish("a", "one"))
            for client in clients { #expect(try client.receive() == .bulk("one")) }
            #expect(getter.loaded.count == 1)
        }
    }

    @Test func `a value of megabytes arrives whole, between others`() async throws {
        let big = String(repeating: "0123456789abcdef", count: 256 << 10)
        let getter = HeldGetter { $0 == "big" ? .text(big) : .text($0) }
        try await withServer([try served("word", getter)]) { server in
            let client = try TestClient(server.path)
            for round in 0..<2 {
                try client.send("GET", "word:a")
                try client.send("GET", "word:big")
                try client.send("MGET", "word:b", "word:big", "word:c")
                #expect(try client.receive() == .bulk("a"), "\(round)")
                #expect(try client.receive() == .bulk(big))
                #expect(try client.receive() == .array([.bulk("b"), .bulk(big), .bulk("c")]))
            }
        }
    }

    @Test func `requests that arrive a byte at a time are answered`() async throws {
        let getter = HeldGetter { .text($0) }
        try await withServer([try served("word", getter)]) { server in
            let client = try TestClient(server.path)
            for byte in TestClient.encoded(["GET", "word:abc"]) + TestClient.encoded(["PING"]) {
                try client.send(raw: [byte])
            }
            #expect(try client.receive() == .bulk("abc"))
            #expect(try client.receive() == .simpleString("PONG"))
        }
    }

    @Test func `thousands of pipelined requests are answered whole`() async throws {
        let getter = HeldGetter { .text("value of \($0)") }
        try await withServer([try served("word", getter)]) { server in
            let client = try TestClient(server.path)
            let requests = (0..<20_000).flatMap { TestClient.encoded(["GET", "word:\($0 % 100)"]) }
            let sender = Thread { try? client.send(raw: requests) }
            sender.start()
            for index in 0..<20_000 { #expect(try client.receive() == .bulk("value of \(index % 100)")) }
        }
    }

    @Test func `a client waits no longer than the group's deadline, and the load goes on`() async throws {
        let getter = HeldGetter()
        let group = try served("word", getter) { $0.loadTimeout = .milliseconds(50) }
        try await withServer([group]) { server in
            let client = try TestClient(server.path)
            let reply = try client.ask("GET", "word:slow")
            #expect(reply.text?.hasPrefix("TIMEOUT word: no answer within load_timeout") == true)
            #expect(!getter.isWanted("slow"))
            #expect(getter.finish("slow", "late"))
            #expect(await eventually { group.group.statistics.entries == 1 })
            #expect(try client.ask("GET", "word:slow") == .bulk("late"))
            #expect(server.server.statistics.timeouts == 1)
        }
    }

    @Test func `past the deadline the last value is served where the group says so`() async throws {
        // The first load is answered at once, within whatever deadline; none after it is.
        let loads = Groundwork.Mutex(0)
        let getter = HeldGetter { _ in
            let count = loads.withLock {
                $0 += 1; return $0
            }
            return count == 1 ? .text("old") : .held
        }
        let group = try served("word", getter) { settings in
            settings.timeToLive = .milliseconds(40)
            settings.staleIfError = .seconds(600)
            settings.loadTimeout = .milliseconds(500)
        }
        try await withServer([group]) { server in
            let client = try TestClient(server.path)
            try client.send("HELLO", "3")
            _ = try client.receive()
            #expect(try client.ask("MGET", "word:a") == .array([.bulk("old")]))
            #expect(await eventually { (try? client.ask("TTL", "word:a")) == .integer(-2) })
            #expect(try client.ask("GET", "word:a") == .bulk("old"))
            #expect(group.group.statistics.staleHits == 1)
            #expect(server.server.statistics.timeouts == 0)
            #expect(try client.ask("DEL", "word:a") == .integer(1))
            #expect(try client.ask("GET", "word:a").text?.hasPrefix("TIMEOUT ") == true)
        }
    }

    @Test func `a client that goes leaves its flight, and the others get their answer`() async throws {
        let getter = HeldGetter()
        let group = try served("word", getter)
        try await withServer([group]) { server in
            let staying = try TestClient(server.path)
            do {
                let leaving = try TestClient(server.path)
                try leaving.send("GET", "word:a")
                try leaving.send("GET", "word:b")
                #expect(getter.waitForLoads(2))
                try staying.send("GET", "word:a")
                #expect(await eventually { group.group.statistics.misses == 3 })
                withExtendedLifetime(leaving) {}
            }
            #expect(await eventually { server.server.statistics.clients == 1 })
            #expect(!getter.isWanted("b"))
            #expect(getter.isWanted("a"))
            #expect(getter.finish("a", "v"))
            #expect(try staying.receive() == .bulk("v"))
            #expect(server.server.statistics.pending == 0)
        }
    }
}

private let prefixHint = "Does something put a prefix in front of keys? See listen.key_prefix"
