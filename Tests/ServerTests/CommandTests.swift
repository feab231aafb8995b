import CacheCore
import Foundation
import Groundwork
import RESP
import Server
import TestSupport
import Testing

/// Each command's replies, in RESP2 and RESP3.
@Suite(.timeLimit(.minutes(10)))
struct CommandTests {
    /// Rows by key: `none` has none, `bad` fails, everything else is `{"id": key}` with two columns.
    static func rows() -> HeldGetter {
        HeldGetter { key in
            if key == "none" { return .value(.missing) }
            if key == "bad" { return .error(LoadError(.query, "column missing")) }
            if key == "slow" { return .held }
            var row = RowEncoder(text: Array("{\"id\":\"\(key)\"}".utf8).span.bytes)
            row.append(name: Array("id".utf8).span.bytes, value: Array(key.utf8).span.bytes)
            row.append(name: Array("name".utf8).span.bytes, value: Array("n\r\n\(key)".utf8).span.bytes)
            return .value(Value(row))
        }
    }

    func withClient(
        configure: (inout ServerSettings) -> Void = { _ in }, _ body: (TestClient, HeldGetter) async throws -> Void
    ) async throws {
        let rows = Self.rows()
        let groups = [
            try served("account", rows, shape: .row), try served("word", HeldGetter { .text($0) }),
            try served("now", HeldGetter(keyParts: 0) { _ in .text("noon") }),
            try served("teller", HeldGetter(keyParts: 2) { .text($0) }),
        ]
        try await withServer(groups, configure: configure) { server in
            try await body(try TestClient(server.path), rows)
        }
    }

    private func map(_ pairs: (String, Reply)...) -> Reply {
        .map(pairs.map { Reply.Entry(key: .bulk($0.0), value: $0.1) })
    }

    @Test func `the hash commands read columns, from memory and loaded`() async throws {
        try await withClient { client, rows async throws in
            for round in ["loaded", "from memory"] {
                #expect(try client.ask("HGET", "account:7", "name") == .bulk("n\r\n7"), "\(round)")
                #expect(try client.ask("HGET", "account:7", "what") == .null)
                #expect(
                    try client.ask("HMGET", "account:8", "name", "x", "id")
                        == .array([.bulk("n\r\n8"), .null, .bulk("8")]))
                #expect(
                    try client.ask("HGETALL", "account:9")
                        == .array([.bulk("id"), .bulk("9"), .bulk("name"), .bulk("n\r\n9")]))
                #expect(try client.ask("HGETALL", "account:none") == .array([]))
                #expect(try client.ask("HGET", "account:none", "id") == .null)
                #expect(try client.ask("HMGET", "account:none", "id") == .array([.null]))
                #expect(try client.ask("HGETALL", "account:bad") == .error("QUERY column missing"))
                #expect(try client.ask("GET", "account:7") == .bulk("{\"id\":\"7\"}"))
            }
            #expect(rows.loaded.filter { $0 == "7" }.count == 1)
            #expect(try client.ask("HGET", "word:a", "id").text?.hasPrefix("WRONGTYPE ") == true)
        }
    }

    @Test func `HELLO 3 turns nulls and maps into RESP3's own`() async throws {
        try await withClient { client, _ async throws in
            guard case .map(let hello) = try client.ask("HELLO", "3") else {
                Issue.record("HELLO 3 is not answered by a map")
                return
            }
            #expect(hello.contains(Reply.Entry(key: .bulk("server"), value: .bulk("redis"))))
            #expect(hello.contains(Reply.Entry(key: .bulk("proto"), value: .integer(3))))
            #expect(try client.ask("HGETALL", "account:9") == map(("id", .bulk("9")), ("name", .bulk("n\r\n9"))))
            #expect(try client.ask("GET", "account:none") == .null)
            // Asked in RESP3, answered in RESP3, although the next request changes the version.
            try client.send("HGETALL", "account:slow")
            try client.send("HELLO", "2")
            try client.send("HELLO", "4")
        }
    }

    @Test func `keys that name nothing are told so`() async throws {
        try await withClient { client, _ async throws in
            #expect(try client.ask("GET", "now") == .bulk("noon"))
            #expect(try client.ask("GET", "now:1") == .error("ERR the group 'now' takes no key: ask for 'now' alone"))
            #expect(try client.ask("GET", "now:") == .error("ERR the group 'now' takes no key: ask for 'now' alone"))
            #expect(try client.ask("GET", "word") == .error("ERR keys of the group 'word' have 1 part: 'word:part1'"))
            #expect(
                try client.ask("GET", "teller:1")
                    == .error("ERR keys of the group 'teller' have 2 parts: 'teller:part1:part2'"))
            #expect(try client.ask("GET", "teller:1:2:3") == .bulk("1:2:3"))
            #expect(try client.ask("GET", "word:") == .bulk(""))
            #expect(
                try client.ask("GET", "wor:1")
                    == .error(
                        "ERR no group 'wor' in the key 'wor:1'; known groups: account, word, now, teller. "
                            + "Does something put a prefix in front of keys? See listen.key_prefix")
            )
            #expect(try client.ask("DEL", "word:1", "wor:1").text?.hasPrefix("ERR no group") == true)
        }
    }

    @Test func `EXISTS counts rows, loading them`() async throws {
        try await withClient { client, rows async throws in
            #expect(try client.ask("EXISTS", "account:1", "account:none", "account:1", "word:a") == .integer(3))
            #expect(try client.ask("EXISTS", "account:1", "account:none", "account:1", "word:a") == .integer(3))
            #expect(try client.ask("EXISTS", "account:1", "account:bad") == .error("QUERY column missing"))
            #expect(try client.ask("EXISTS", "account:2", "wor:1").text?.hasPrefix("ERR no group 'wor'") == true)
            try client.send("EXISTS", "account:slow", "account:1", "account:none")
            #expect(rows.finish("slow", "x"))
            #expect(try client.receive() == .integer(2))
        }
    }

    @Test func `what is in memory can be asked without loading`() async throws {
        try await withClient { client, rows async throws in
            #expect(try client.ask("PGS.PEEK", "account:1") == .null)
            #expect(try client.ask("TTL", "account:1") == .integer(-2))
            #expect(try client.ask("TOUCH", "account:1", "word:a") == .integer(0))
            #expect(try client.ask("DBSIZE") == .integer(0))
            #expect(rows.loaded.isEmpty)
            _ = try client.ask("GET", "account:1")
            #expect(try client.ask("PGS.PEEK", "account:1") == .bulk("{\"id\":\"1\"}"))
            #expect(try client.ask("TTL", "account:1") == .integer(60))
            guard case .integer(let left) = try client.ask("PTTL", "account:1") else {
                Issue.record("PTTL is not answered by a number")
                return
            }
            #expect((50_000...60_000).contains(left))
            #expect(try client.ask("TOUCH", "account:1", "word:a") == .integer(1))
            #expect(try client.ask("DBSIZE") == .integer(1))
        }
    }

    @Test func `DEL, PGS.FLUSH and FLUSHALL invalidate`() async throws {
        try await withClient { client, rows async throws in
            for key in ["account:1", "account:2", "word:a", "word:b"] { _ = try client.ask("GET", key) }
            #expect(try client.ask("DEL", "account:1", "account:9", "word:a") == .integer(2))
            #expect(try client.ask("UNLINK", "account:1") == .integer(0))
            _ = try client.ask("GET", "account:1")
            #expect(rows.loaded == ["1", "2", "1"])
            #expect(try client.ask("PGS.FLUSH", "account") == .simpleString("OK"))
            #expect(try client.ask("DBSIZE") == .integer(1))
            #expect(try client.ask("PGS.FLUSH", "acount").text?.hasPrefix("ERR no group 'acount'") == true)
            #expect(try client.ask("FLUSHALL", "ASYNC") == .simpleString("OK"))
            #expect(try client.ask("DBSIZE") == .integer(0))
            #expect(try client.ask("FLUSHDB", "NOW") == .error("ERR syntax error"))
        }
    }

    @Test func `SCAN goes through every key once, with a pattern`() async throws {
        try await withClient { client, _ async throws in
            for index in 0..<60 { _ = try client.ask("GET", "account:\(index)") }
            for index in 0..<40 { _ = try client.ask("GET", "word:\(index)") }
            _ = try client.ask("GET", "now")
            var seen: [String] = []
            var cursor = "0"
            repeat {
                guard case .array(let page) = try client.ask("SCAN", cursor, "COUNT", "7"), page.count == 2,
                    case .array(let keys) = page[1]
                else {
                    Issue.record("SCAN is not answered by a cursor and keys")
                    return
                }
                cursor = page[0].text ?? "0"
                seen += keys.compactMap(\.text)
            } while cursor != "0"
            #expect(seen.count == 101)
            #expect(Set(seen).count == 101)
            #expect(seen.contains("now"))
            let words = try client.ask("SCAN", "0", "MATCH", "word:?", "COUNT", "1000")
            guard case .array(let page) = words, case .array(let keys) = page[1] else { return }
            #expect(keys.count == 10)
            #expect(try client.ask("SCAN", "x") == .error("ERR invalid cursor"))
            #expect(try client.ask("SCAN", "0", "COUNT") == .error("ERR syntax error"))
        }
    }

    @Test func `the first requests of the known clients are answered without an error`() async throws {
        let requests: [[String]] = [
            ["COMMAND", "DOCS"], ["COMMAND"], ["COMMAND", "COUNT"], ["COMMAND", "INFO", "get", "nothing"],
            ["CONFIG", "GET", "save"], ["CONFIG", "GET", "appendonly"], ["CLIENT", "SETNAME", "app"],
            ["CLIENT", "SETINFO", "LIB-NAME", "redis-py"], ["CLIENT", "SETINFO", "LIB-VER", "8.1.0"],
            ["CLIENT", "ID"], ["CLIENT", "LIST"], ["CLIENT", "INFO"], ["CLIENT", "CAPA", "redirect"],
            ["CLIENT", "NO-EVICT", "on"], ["SELECT", "0"], ["INFO"], ["INFO", "replication"], ["ECHO", "x"], ["PING"],
            ["PING", "x"], ["RESET"],
        ]
        try await withClient { client, _ async throws in
            for version in ["2", "3"] {
                _ = try client.ask("HELLO", version, "SETNAME", "app")
                #expect(try client.ask("CLIENT", "GETNAME") == .bulk("app"))
                for request in requests {
                    try client.send(raw: TestClient.encoded(request))
                    let reply = try client.receive()
                    if case .error(let text) = reply { Issue.record("\(request): \(text)") }
                }
            }
        }
    }

    @Test func `INFO has what clients and people look for`() async throws {
        try await withClient { client, _ async throws in
            _ = try client.ask("GET", "account:1")
            let text = try client.ask("INFO").text ?? ""
            for line in [
                "redis_version:7.4.0", "loading:0", "role:master", "used_memory_cache:12", "maxmemory:1048576",
            ] {
                #expect(text.contains(line + "\r\n"), "\(line)")
            }
            #expect(text.contains("group_account:gets=1,"))
            #expect(try client.ask("INFO", "memory").text?.hasPrefix("# Memory\r\nused_memory:") == true)
            #expect(try client.ask("INFO", "nothing") == .bulk(""))
        }
    }

    @Test func `what INFO says of memory adds up`() async throws {
        try await withClient { client, _ async throws in
            _ = try client.ask("GET", "account:1")
            let lines = try client.ask("INFO", "memory").text?.split(separator: "\r\n") ?? []
            func figure(_ name: String) throws -> Int {
                let line = try #require(lines.first { $0.hasPrefix("\(name):") })
                return try #require(Int(line.dropFirst(name.count + 1)))
            }
            let (dataset, overhead) = (try figure("used_memory_dataset"), try figure("used_memory_overhead"))
            #expect(try figure("used_memory") == dataset + overhead)
            #expect(overhead >= 0)
            // Pages, of which the entry is in one at least; what it is charged is another figure.
            #expect(dataset >= 4 << 10)
            #expect(try figure("used_memory_cache") == 12)
        }
    }

    @Test(arguments: [
        ("SET", "ERR SET is not supported: values come from PostgreSQL; change the row there"),
        ("expire", "ERR EXPIRE is not supported: how long an entry lives is a setting of its group"),
        ("PUBLISH", "ERR PUBLISH is not supported: what is published here are keyspace events"),
        ("SSUBSCRIBE", "ERR SSUBSCRIBE is not in this version"),
        ("CLUSTER", "ERR This instance has cluster support disabled"),
        ("NOSUCH", "ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b' "),
    ])
    func `what is not served says why`(_ name: String, _ error: String) async throws {
        try await withClient { client, _ async throws in
            let reply = try client.ask(name, "a", "b")
            #expect(reply == .error(error))
        }
    }

    @Test func `a wrong number of arguments is an error, and the connection goes on`() async throws {
        try await withClient { client, _ async throws in
            #expect(try client.ask("GET") == .error("ERR wrong number of arguments for 'get' command"))
            #expect(try client.ask("get", "a", "b") == .error("ERR wrong number of arguments for 'get' command"))
            #expect(try client.ask("MGET") == .error("ERR wrong number of arguments for 'mget' command"))
            #expect(try client.ask("SELECT", "1").text?.hasPrefix("ERR DB index is out of range") == true)
            #expect(
                try client.ask("CONFIG", "SET", "save", "x").text?.hasPrefix("ERR CONFIG SET is not supported") == true)
            #expect(try client.ask("PING") == .simpleString("PONG"))
        }
    }

    @Test func `nothing is told before the password was given`() async throws {
        try await withClient(configure: { $0.password = "s3cret" }) { client, rows async throws in
            let refused = Reply.error("NOAUTH Authentication required.")
            #expect(try client.ask("GET", "account:1") == refused)
            #expect(try client.ask("NOSUCH") == refused)
            #expect(try client.ask("HELLO", "3").text?.hasPrefix("NOAUTH") == true)
            #expect(try client.ask("AUTH", "wrong").text?.hasPrefix("WRONGPASS") == true)
            #expect(try client.ask("AUTH", "someone", "s3cret").text?.hasPrefix("WRONGPASS") == true)
            #expect(rows.loaded.isEmpty)
            #expect(try client.ask("AUTH", "s3cret") == .simpleString("OK"))
            #expect(try client.ask("GET", "account:1") == .bulk("{\"id\":\"1\"}"))
            #expect(try client.ask("RESET") == .simpleString("RESET"))
            #expect(try client.ask("GET", "account:1") == refused)
            guard case .map = try client.ask("HELLO", "3", "AUTH", "default", "s3cret") else {
                Issue.record("HELLO with the password is refused")
                return
            }
        }
    }

    @Test func `PGS.STATS counts by group`() async throws {
        try await withClient { client, _ async throws in
            _ = try client.ask("HELLO", "3")
            for _ in 0..<3 { _ = try client.ask("GET", "account:1") }
            guard case .map(let figures) = try client.ask("PGS.STATS", "account") else {
                Issue.record("PGS.STATS is not answered by a map")
                return
            }
            #expect(figures.contains(Reply.Entry(key: .bulk("gets"), value: .integer(3))))
            #expect(figures.contains(Reply.Entry(key: .bulk("loads"), value: .integer(1))))
            #expect(try client.ask("PGS.STATS", "x").text?.hasPrefix("ERR no group 'x'") == true)
        }
    }

    @Test func `PGS.REFRESH loads although the key is in memory, and those who ask at once share the load`()
        async throws
    {
        let getter = HeldGetter()
        try await withServer([try served("word", getter)]) { server in
            let clients = [try TestClient(server.path), try TestClient(server.path)]
            try clients[0].send("GET", "word:a")
            #expect(getter.finish("a", "old"))
            #expect(try clients[0].receive() == .bulk("old"))
            try clients[0].send("PGS.REFRESH", "word:a")
            #expect(getter.waitForLoads(2))
            try clients[1].send("PGS.REFRESH", "word:a")
            try clients[1].send("PING")
            // Both wait for the one load.
            #expect(await eventually { server.server.statistics.pending == 2 })
            #expect(!clients[1].hasInput(within: 20))
            #expect(try TestClient(server.path).ask("GET", "word:a") == .bulk("old"))
            #expect(getter.finish("a", "new"))
            for client in clients { #expect(try client.receive() == .bulk("new")) }
            #expect(try clients[1].receive() == .simpleString("PONG"))
            #expect(try clients[0].ask("GET", "word:a") == .bulk("new"))
            #expect(getter.loaded.count == 2)
            #expect(try clients[0].ask("PGS.REFRESH", "what:a").text?.hasPrefix("ERR no group 'what'") == true)
        }
    }

    @Test func `PGS.HOT lists what was asked for most`() async throws {
        try await withClient { client, _ async throws in
            #expect(try client.ask("PGS.HOT", "word") == .array([]))
            for _ in 0..<2000 { try client.send("GET", "word:hot") }
            for _ in 0..<2000 { _ = try client.receive() }
            guard case .array(let hot) = try client.ask("PGS.HOT", "word", "1"), case .array(let pair)? = hot.first,
                case .integer(let lookups)? = pair.last
            else {
                Issue.record("PGS.HOT does not answer with pairs")
                return
            }
            #expect(hot.count == 1)
            #expect(pair.first == .bulk("word:hot"))
            #expect((500...4000).contains(lookups))
            #expect(try client.ask("PGS.HOT", "word", "0").text?.hasPrefix("ERR value is out of range") == true)
            #expect(try client.ask("PGS.HOT", "x").text?.hasPrefix("ERR no group 'x'") == true)
        }
    }
}
