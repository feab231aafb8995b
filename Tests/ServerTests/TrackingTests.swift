import Foundation
import Groundwork
import Synchronization
import TestSupport
import Testing

@testable import CacheCore
@testable import Server

/// `CLIENT TRACKING`: clients are told of what they may keep in caches of their own.
@Suite(.timeLimit(.minutes(10)))
struct TrackingTests {
    private func words(_ settings: (inout GroupSettings) -> Void = { _ in }) throws -> ServedGroup {
        try served("word", HeldGetter { $0 == "none" ? .value(.missing) : .text($0) }, settings: settings)
    }

    private func invalidate(_ keys: String...) -> Reply {
        .push([.bulk("invalidate"), .array(keys.map { .bulk($0) })])
    }

    private let everything = Reply.push([.bulk("invalidate"), .null])

    /// A RESP3 client that tracks so.
    private func tracker(_ server: TestServer, _ options: String...) throws -> TestClient {
        let client = try TestClient(server.path)
        _ = try client.ask("HELLO", "3")
        try client.send(raw: TestClient.encoded(["CLIENT", "TRACKING", "ON"] + options))
        #expect(try client.receive() == .simpleString("OK"))
        return client
    }

    @Test func `who read a key is told once that it changed, before any later answer`() async throws {
        try await withServer([try words()]) { server in
            let other = try TestClient(server.path)
            // On each of the two loops.
            for _ in 0..<2 {
                let client = try tracker(server)
                for _ in 0..<2 {
                    #expect(try client.ask("GET", "word:a") == .bulk("a"))
                    #expect(try other.ask("DEL", "word:a") == .integer(1))
                    #expect(try client.ask("PING") == invalidate("word:a"))
                    #expect(try client.receive() == .simpleString("PONG"))
                    // Not again, as it did not read it again; and not of what others read.
                    _ = try other.ask("GET", "word:a")
                    _ = try other.ask("DEL", "word:a")
                    #expect(try client.ask("PING") == .simpleString("PONG"))
                }
                #expect(try client.ask("CLIENT", "TRACKING", "OFF") == .simpleString("OK"))
                _ = try client.ask("GET", "word:a")
                _ = try other.ask("DEL", "word:a")
                #expect(try client.ask("PING") == .simpleString("PONG"))
                _ = try TestClient(server.path).ask("PING")
            }
        }
    }

    @Test func `whatever command reads a key, in a transaction or not, its client is told`() async throws {
        let samples: [[String]] = [
            ["GET", "row:a-1"], ["MGET", "row:b-1", "row:a-1"], ["STRLEN", "row:a-1"],
            ["GETRANGE", "row:a-1", "0", "1"],
            ["HGETALL", "row:a-1"], ["HGET", "row:a-1", "id"], ["HMGET", "row:a-1", "id"],
            ["HEXISTS", "row:a-1", "id"],
            ["HLEN", "row:a-1"], ["HKEYS", "row:a-1"], ["HVALS", "row:a-1"], ["HSTRLEN", "row:a-1", "id"],
            ["HSCAN", "row:a-1", "0"], ["EXISTS", "row:a-1"], ["TYPE", "row:a-1"], ["TTL", "row:a-1"],
            ["PTTL", "row:a-1"], ["EXPIRETIME", "row:a-1"], ["PEXPIRETIME", "row:a-1"], ["TOUCH", "row:a-1"],
            ["OBJECT", "ENCODING", "row:a-1"], ["MEMORY", "USAGE", "row:a-1"], ["PGS.PEEK", "row:a-1"],
            ["PGS.REFRESH", "row:a-1"], ["PGS.GET", "row:a-1", "AFTER", "0/0"],
            ["PGS.MGET", "row:b-1", "row:a-1", "AFTER", "0/0"], ["PGS.HGETALL", "row:a-1", "AFTER", "0/0"],
        ]
        let reading = CommandTable.served.filter { command in
            if case .none = command.keys { false } else { command.readsValues }
        }
        // A command that is new has to be here.
        #expect(Set(samples.map { $0[0].lowercased() }) == Set(reading.map { $0.name }))
        try await withServer([try served("row", Question.getter(), shape: .row)]) { server in
            let (client, other) = (try tracker(server), try TestClient(server.path))
            for sample in samples {
                _ = try other.ask("GET", "row:a-1")
                try client.send(raw: TestClient.encoded(sample))
                _ = try client.receive()
                _ = try other.ask("DEL", "row:a-1")
                #expect(try client.ask("PING") == invalidate("row:a-1"), "\(sample)")
                #expect(try client.receive() == .simpleString("PONG"))

                _ = try other.ask("GET", "row:a-1")
                for request in [["MULTI"], sample, ["EXEC"]] {
                    try client.send(raw: TestClient.encoded(request))
                    _ = try client.receive()
                }
                _ = try other.ask("DEL", "row:a-1")
                #expect(try client.ask("PING") == invalidate("row:a-1"), "\(sample) in a transaction")
                #expect(try client.receive() == .simpleString("PONG"))
            }
        }
    }

    @Test func `whatever takes a value out of memory, or keeps it out, its readers are told`() async throws {
        let version = Atomic<Int>(1)
        let getter = HeldGetter { key in
            key == "large"
                ? .text(String(repeating: "x", count: 100_000))
                : key == "none" ? .value(.missing) : .text("\(key) \(version.load(ordering: .relaxed))")
        }
        let short = try served("short", getter) { $0.timeToLive = .milliseconds(40) }
        let small = try served("small", getter) {
            $0.memory = 2000
            $0.shards = 1
            $0.negativeTimeToLive = .zero
        }
        let fresh = try served("fresh", getter) { $0.refreshAfter = .milliseconds(1) }
        try await withServer([short, small, fresh]) { server in
            let client = try tracker(server)
            #expect(try client.ask("GET", "short:a") == .bulk("a 1"))
            short.group.cache.sweep(at: .now() + .seconds(1))
            #expect(try client.receive() == invalidate("short:a"))
            #expect(try client.ask("GET", "small:large").text?.utf8.count == 100_000)
            #expect(try client.receive() == invalidate("small:large"))
            #expect(try client.ask("GET", "small:none") == .null)
            #expect(try client.receive() == invalidate("small:none"))
            #expect(try client.ask("GET", "small:a") == .bulk("a 1"))
            let other = try TestClient(server.path)
            for number in 0..<100 { _ = try other.ask("GET", "small:\(number)") }
            #expect(try client.receive() == invalidate("small:a"))
            #expect(try client.ask("GET", "fresh:a") == .bulk("a 1"))
            // What comes again as it was is no change.
            _ = try other.ask("PGS.REFRESH", "fresh:a")
            #expect(try client.ask("PING") == .simpleString("PONG"))
            version.store(2, ordering: .relaxed)
            #expect(await eventually { (try? other.ask("GET", "fresh:a")) == .bulk("a 2") })
            #expect(try client.receive() == invalidate("fresh:a"))
        }
    }

    @Test func `a value that was invalidated on its way comes before the invalidation`() async throws {
        let getter = HeldGetter()
        let word = try served("word", getter)
        try await withServer([word], loops: 1) { server in
            let client = try tracker(server)
            try client.send("GET", "word:a")
            #expect(getter.waitForLoads(1))
            word.group.invalidate(Key("a"))
            try client.send(raw: TestClient.encoded(["PING"]) + TestClient.encoded(["GET", "word:a"]))
            #expect(getter.waitForLoads(2))
            #expect(getter.finish("a", "old"))
            #expect(try client.receive() == .bulk("old"))
            #expect(try client.receive() == .simpleString("PONG"))
            #expect(getter.finish("a", "new"))
            #expect([try client.receive(), try client.receive()] == [.bulk("new"), invalidate("word:a")])
        }
    }

    @Test func `who keeps what has just expired knows it when an invalidation of it was applied`() async throws {
        for options in [[], ["BCAST"]] {
            let word = try words { $0.timeToLive = .milliseconds(40) }
            try await withServer([word]) { server in
                let client = try TestClient(server.path)
                _ = try client.ask("HELLO", "3")
                try client.send(raw: TestClient.encoded(["CLIENT", "TRACKING", "ON"] + options))
                _ = try client.receive()
                _ = try client.ask("GET", "word:a")
                // The sweep tells one observer after the other, in no order: most of these come before the server's own.
                let replies = Groundwork.Mutex<[Reply]>([])
                for _ in 0..<20 {
                    _ = word.group.addObserver { [group = word.group] event, key in
                        guard event == .expired, replies.withLock({ $0.isEmpty }) else { return }
                        group.invalidate(key)
                        var told = [try? client.ask("PING")]
                        while let last = told.last ?? nil, last != .simpleString("PONG") {
                            told.append(try? client.receive())
                        }
                        replies.withLock { $0 = told.compactMap { $0 } }
                    }
                }
                word.group.cache.sweep(at: .now() + .seconds(1))
                // With the server's own among the first, BCAST tells of both, the expiry and the invalidation.
                let told = replies.withLock { $0 }
                #expect(told.last == .simpleString("PONG") && told.count > 1, "\(options): \(told)")
                let pushes = [invalidate("word:a"), invalidate("word:a", "word:a")]
                #expect(told.dropLast().allSatisfy(pushes.contains), "\(options): \(told)")
            }
        }
    }

    @Test func `a flush is told as the keys that were read, as everything when they are many, or when all is flushed`()
        async throws
    {
        let other = try served("other", HeldGetter { .text($0) })
        try await withServer([try words(), other]) { server in
            let (client, flusher) = (try tracker(server), try TestClient(server.path))
            _ = try client.ask("GET", "word:a")
            _ = try flusher.ask("PGS.FLUSH", "word")
            #expect(try client.receive() == invalidate("word:a"))
            let keys = (0..<2000).map { "word:\($0)" }
            try client.send(raw: TestClient.encoded(["MGET"] + keys))
            _ = try client.receive()
            _ = try flusher.ask("PGS.FLUSH", "word")
            #expect(try client.receive() == everything)
            _ = try flusher.ask("FLUSHALL")
            #expect(try client.ask("PING") == everything)
            #expect(try client.receive() == .simpleString("PONG"))
        }
    }

    @Test func `with BCAST a client is told of all keys that begin as it says, read or not`() async throws {
        let other = try served("other", HeldGetter { .text($0) })
        try await withServer([try words(), other]) { server in
            let all = try tracker(server, "BCAST")
            let some = try tracker(server, "BCAST", "PREFIX", "word:a", "PREFIX", "oth")
            let asking = try TestClient(server.path)
            for key in ["word:ab", "word:b", "other:a"] {
                _ = try asking.ask("GET", key)
                _ = try asking.ask("DEL", key)
                for client in key == "word:b" ? [all] : [all, some] {
                    #expect(try client.ask("PING") == invalidate(key))
                    #expect(try client.receive() == .simpleString("PONG"))
                }
            }
            _ = try asking.ask("GET", "word:b")
            _ = try asking.ask("PGS.FLUSH", "word")
            #expect(try some.receive() == everything)
            #expect(try all.receive() == everything)
            let neither = try tracker(server, "BCAST", "PREFIX", "words")
            _ = try asking.ask("PGS.FLUSH", "word")
            #expect(try neither.ask("PING") == .simpleString("PONG"))
        }
    }

    @Test func `OPTIN and OPTOUT ask for, or refuse, what the next request or transaction reads`() async throws {
        try await withServer([try words()]) { server in
            let other = try TestClient(server.path)
            for (mode, word, isTold) in [("OPTIN", "YES", true), ("OPTOUT", "NO", false)] {
                let client = try tracker(server, mode)
                func ask(_ words: String...) throws -> Reply {
                    try client.send(raw: TestClient.encoded(words))
                    return try client.receive()
                }
                func expectTold(_ key: String, _ isTold: Bool) throws {
                    _ = try other.ask("DEL", key)
                    if isTold { #expect(try client.ask("PING") == invalidate(key), "\(mode)") }
                    #expect(try (isTold ? client.receive() : client.ask("PING")) == .simpleString("PONG"), "\(mode)")
                }
                _ = try ask("GET", "word:a")
                try expectTold("word:a", !isTold)
                #expect(try ask("CLIENT", "CACHING", word) == .simpleString("OK"))
                _ = try ask("GET", "word:a")
                _ = try ask("GET", "word:b")
                try expectTold("word:a", isTold)
                try expectTold("word:b", !isTold)
                _ = try ask("CLIENT", "CACHING", word)
                for request in [["MULTI"], ["GET", "word:a"], ["GET", "word:b"], ["EXEC"], ["GET", "word:c"]] {
                    try client.send(raw: TestClient.encoded(request))
                    _ = try client.receive()
                }
                try expectTold("word:a", isTold)
                try expectTold("word:b", isTold)
                try expectTold("word:c", !isTold)
                #expect(
                    try ask("CLIENT", "CACHING", isTold ? "NO" : "YES").text?.contains("is only valid when") == true)
                #expect(try ask("CLIENT", "CACHING", "what") == .error("ERR syntax error"))
            }
            #expect(
                try other.ask("CLIENT", "CACHING", "YES").text?.hasPrefix("ERR CLIENT CACHING can be called") == true)
        }
    }

    @Test func `with NOLOOP a client is not told of what it invalidates itself`() async throws {
        try await withServer([try words()], loops: 1) { server in
            let other = try TestClient(server.path)
            for options in [[], ["BCAST"]] {
                let client = try TestClient(server.path)
                _ = try client.ask("HELLO", "3")
                try client.send(raw: TestClient.encoded(["CLIENT", "TRACKING", "ON", "NOLOOP"] + options))
                _ = try client.receive()
                _ = try client.ask("GET", "word:a")
                #expect(try client.ask("DEL", "word:a") == .integer(1))
                #expect(try client.ask("PING") == .simpleString("PONG"))
                _ = try client.ask("GET", "word:a")
                _ = try other.ask("UNLINK", "word:a")
                #expect(try client.ask("PING") == invalidate("word:a"))
                _ = try client.receive()
                _ = try client.ask("CLIENT", "TRACKING", "OFF")
            }
            let client = try tracker(server)
            _ = try client.ask("GET", "word:a")
            #expect([try client.ask("DEL", "word:a"), try client.receive()] == [.integer(1), invalidate("word:a")])
        }
    }

    @Test func `another connection can be told instead, in RESP2 by a channel`() async throws {
        try await withServer([try words()]) { server in
            // Connections go to the loops in turn: one that is told stands on each.
            for version in ["2", "3", "2", "3"] {
                let told = try TestClient(server.path)
                _ = try told.ask("HELLO", version)
                guard case .integer(let id) = try told.ask("CLIENT", "ID") else { return }
                if version == "2" { _ = try told.ask("SUBSCRIBE", "__redis__:invalidate") }
                let (client, other) = (try TestClient(server.path), try TestClient(server.path))
                #expect(try client.ask("CLIENT", "TRACKING", "ON", "REDIRECT", "\(id)") == .simpleString("OK"))
                #expect(try client.ask("CLIENT", "GETREDIR") == .integer(id))
                _ = try client.ask("GET", "word:a")
                _ = try other.ask("DEL", "word:a")
                let channel = Reply.bulk("__redis__:invalidate")
                #expect(
                    try told.receive()
                        == (version == "2"
                            ? .array([.bulk("message"), channel, .array([.bulk("word:a")])]) : invalidate("word:a")))
                _ = try other.ask("FLUSHALL")
                #expect(
                    try told.receive() == (version == "2" ? .array([.bulk("message"), channel, .null]) : everything))
                #expect(try client.ask("PING") == .simpleString("PONG"))
                // The one that is told goes.
                _ = try client.ask("HELLO", "3")
                told.end(abruptly: false)
                #expect(await eventually { (try? other.ask("CLIENT", "LIST", "ID", "\(id)")) == .bulk("") })
                _ = try client.ask("GET", "word:a")
                _ = try other.ask("DEL", "word:a")
                #expect(try client.receive() == .push([.bulk("tracking-redir-broken"), .integer(id)]))
                guard case .map(let entries) = try client.ask("CLIENT", "TRACKINGINFO") else { return }
                #expect(entries[0].value == .set([.bulk("on"), .bulk("broken_redirect")]))
            }
        }
    }

    @Test func `a client is told of a key by the text that it asked with`() async throws {
        try await withServer([try words()], keyPrefix: ":1:") { server in
            let (client, other) = (try tracker(server), try TestClient(server.path))
            _ = try client.ask("MGET", ":1:word:a", "word:a")
            _ = try other.ask("DEL", "word:a")
            guard case .push(let parts) = try client.receive(), case .array(let keys) = parts[1] else {
                Issue.record("no push")
                return
            }
            #expect(Set(keys.compactMap(\.text)) == [":1:word:a", "word:a"])
            let prefixed = try tracker(server, "BCAST", "PREFIX", ":1:word")
            _ = try other.ask("GET", "word:a")
            _ = try other.ask("DEL", "word:a")
            #expect(try prefixed.receive() == invalidate(":1:word:a"))
        }
    }

    @Test func `beyond max_tracking clients are told of changes that there were not`() async throws {
        try await withServer([try words()], loops: 1, configure: { $0.maxTracking = 20_000 }) { server in
            let client = try tracker(server)
            for number in 0..<200 { try client.send("GET", "word:\(number)") }
            var told: Set<String> = []
            var answers = 0
            while answers < 201 {
                switch try client.receive() {
                case .push(let parts):
                    if case .array(let keys) = parts[1] { told.formUnion(keys.compactMap(\.text)) }
                default:
                    answers += 1
                    // What is to be told by then stands before its answer.
                    if answers == 200 { try client.send("PING") }
                }
            }
            #expect((20...190).contains(told.count))
            let other = try TestClient(server.path)
            guard let info = try other.ask("INFO").text else { return }
            #expect(info.contains("tracking_clients:1\r\n"))
            #expect(info.contains("tracking_total_items:"))
            #expect(!info.contains("tracking_total_items:200\r\n"))
            client.end(abruptly: false)
            #expect(await eventually { (try? other.ask("INFO"))?.text?.contains("tracking_total_keys:0\r\n") == true })
        }
    }

    @Test func `groups are observed only while somebody tracks`() async throws {
        let words = try words()
        func isObserved() -> Bool { words.group.observers.exist }
        try await withServer([words]) { server in
            let plain = try TestClient(server.path)
            #expect(try plain.ask("GET", "word:a") == .bulk("a"))
            #expect(!isObserved())
            let (one, two) = (try tracker(server), try tracker(server, "BCAST"))
            #expect(isObserved())
            #expect(try one.ask("RESET") == .simpleString("RESET"))
            #expect(isObserved())
            two.end(abruptly: false)
            #expect(await eventually { !isObserved() })
        }
    }

    @Test func `mistakes have Redis' errors, and the connection tells how it tracks`() async throws {
        try await withServer([try words()]) { server in
            let client = try TestClient(server.path)
            func ask(_ text: String) throws -> String {
                try client.send(raw: TestClient.encoded(text.split(separator: " ").map(String.init)))
                let reply = try client.receive()
                return reply.text ?? "\(reply)"
            }
            #expect(try ask("CLIENT GETREDIR") == "\(Reply.integer(-1))")
            #expect(try ask("CLIENT TRACKING maybe") == "ERR syntax error")
            #expect(try ask("CLIENT TRACKING ON what") == "ERR syntax error")
            #expect(try ask("CLIENT TRACKING ON REDIRECT 99999").hasSuffix("does not exist"))
            #expect(try ask("CLIENT TRACKING ON PREFIX a") == "ERR PREFIX option requires BCAST mode to be enabled")
            #expect(try ask("CLIENT TRACKING ON OPTIN OPTOUT").hasPrefix("ERR You can't specify both"))
            #expect(try ask("CLIENT TRACKING ON BCAST OPTIN").hasPrefix("ERR OPTIN and OPTOUT are not compatible"))
            #expect(
                try ask("CLIENT TRACKING ON BCAST PREFIX a PREFIX ab").contains("overlaps with another provided prefix")
            )
            #expect(try ask("CLIENT LIST").contains(" flags=U ") == true)
            #expect(try ask("CLIENT TRACKING ON BCAST PREFIX a PREFIX b NOLOOP") == "OK")
            #expect(try ask("CLIENT TRACKING ON BCAST PREFIX aa").contains("overlaps with an existing prefix 'a'"))
            #expect(try ask("CLIENT TRACKING ON").hasPrefix("ERR You can't switch BCAST mode"))
            let line = try ask("CLIENT LIST")
            #expect(line.contains(" flags=tBU ") && line.contains(" redir=0 "))
            _ = try client.ask("HELLO", "3")
            #expect(
                try client.ask("CLIENT", "TRACKINGINFO")
                    == .map([
                        .init(key: .bulk("flags"), value: .set([.bulk("on"), .bulk("bcast"), .bulk("noloop")])),
                        .init(key: .bulk("redirect"), value: .integer(0)),
                        .init(key: .bulk("prefixes"), value: .set([.bulk("a"), .bulk("b")])),
                    ]))
            #expect(try ask("CLIENT TRACKING OFF") == "OK")
            #expect(try ask("CLIENT TRACKING ON OPTIN") == "OK")
            #expect(try ask("CLIENT TRACKING ON OPTOUT").hasPrefix("ERR You can't switch OPTIN/OPTOUT mode"))
        }
    }
}
