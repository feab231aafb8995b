import CacheCore
import Foundation
import Groundwork
import Server
import TestSupport
import Testing

/// The commands that tools and frameworks ask beside the usual ones, cold and from memory.
extension CommandTests {
    @Test func `STRLEN and GETRANGE read what GET returns`() async throws {
        try await withClient { client, _ async throws in
            for _ in 0..<2 {
                #expect(try client.ask("STRLEN", "word:hello") == .integer(5))
                #expect(try client.ask("STRLEN", "account:none") == .integer(0))
                #expect(try client.ask("GETRANGE", "word:hello", "1", "3") == .bulk("ell"))
            }
            let ranges = [
                ("0", "-1", "hello"), ("-3", "-1", "llo"), ("-30", "1", "he"), ("3", "2", ""), ("9", "12", ""),
                ("0", "99", "hello"), ("-1", "-3", ""), ("0", "\(Int.max)", "hello"), ("\(Int.min)", "\(Int.min)", ""),
            ]
            for (start, end, expected) in ranges {
                #expect(try client.ask("GETRANGE", "word:hello", start, end) == .bulk(expected), "\(start) \(end)")
            }
            #expect(
                try client.ask("GETRANGE", "word:a", "x", "1")
                    == .error("ERR value is not an integer or out of range"))
            #expect(try client.ask("GETRANGE", "account:none", "0", "-1") == .bulk(""))
        }
    }

    @Test func `a value that is not copied is measured and cut as well`() async throws {
        let long = String(repeating: "x", count: 1 << 20) + "end"
        try await withServer([try served("word", HeldGetter { _ in .text(long) })]) { server in
            let client = try TestClient(server.path)
            for _ in 0..<2 {
                #expect(try client.ask("STRLEN", "word:a") == .integer(long.utf8.count))
                #expect(try client.ask("GETRANGE", "word:a", "-4", "-1") == .bulk("xend"))
                #expect(try client.ask("TYPE", "word:a") == .simpleString("string"))
            }
        }
    }

    @Test func `a row's columns are told one by one and all together`() async throws {
        try await withClient { client, _ async throws in
            for _ in 0..<2 {
                #expect(try client.ask("HEXISTS", "account:7", "name") == .integer(1))
                #expect(try client.ask("HEXISTS", "account:7", "nam") == .integer(0))
                #expect(try client.ask("HLEN", "account:8") == .integer(2))
                #expect(try client.ask("HKEYS", "account:9") == .array([.bulk("id"), .bulk("name")]))
                #expect(try client.ask("HVALS", "account:10") == .array([.bulk("10"), .bulk("n\r\n10")]))
                #expect(try client.ask("HSTRLEN", "account:11", "name") == .integer(5))
                #expect(try client.ask("HSTRLEN", "account:11", "nam") == .integer(0))
                #expect(
                    try client.ask("HSCAN", "account:12", "0")
                        == .array([
                            .bulk("0"), .array([.bulk("id"), .bulk("12"), .bulk("name"), .bulk("n\r\n12")]),
                        ]))
                for command in ["HLEN", "HKEYS", "HVALS"] {
                    let empty: Reply = command == "HLEN" ? .integer(0) : .array([])
                    #expect(try client.ask(command, "account:none") == empty)
                    #expect(try client.ask(command, "account:bad") == .error("QUERY column missing"))
                    #expect(try client.ask(command, "word:a").text?.hasPrefix("WRONGTYPE ") == true)
                }
            }
            let named = try client.ask("HSCAN", "account:12", "0", "MATCH", "n*", "NOVALUES")
            #expect(named == .array([.bulk("0"), .array([.bulk("name")])]))
            #expect(try client.ask("HSCAN", "account:12", "5") == .array([.bulk("0"), .array([])]))
            #expect(try client.ask("HSCAN", "account:12", "0", "WHAT") == .error("ERR syntax error"))
            #expect(try client.ask("HSCAN", "account:12", "x") == .error("ERR invalid cursor"))
        }
    }

    @Test func `TYPE asks about the row, OBJECT and MEMORY about the entry`() async throws {
        try await withClient { client, rows async throws in
            #expect(try client.ask("OBJECT", "ENCODING", "account:1") == .null)
            #expect(try client.ask("MEMORY", "USAGE", "account:1") == .null)
            #expect(try client.ask("EXPIRETIME", "account:1") == .integer(-2))
            #expect(rows.loaded.isEmpty)
            for _ in 0..<2 {
                #expect(try client.ask("TYPE", "account:1") == .simpleString("hash"))
                #expect(try client.ask("TYPE", "word:a") == .simpleString("string"))
                #expect(try client.ask("TYPE", "account:none") == .simpleString("none"))
                #expect(try client.ask("TYPE", "account:bad") == .error("QUERY column missing"))
            }
            #expect(try client.ask("OBJECT", "ENCODING", "account:1") == .bulk("listpack"))
            #expect(try client.ask("OBJECT", "ENCODING", "word:a") == .bulk("raw"))
            #expect(try client.ask("OBJECT", "REFCOUNT", "word:a") == .integer(1))
            #expect(try client.ask("OBJECT", "IDLETIME", "word:a") == .integer(0))
            guard case .integer(let bytes) = try client.ask("MEMORY", "USAGE", "word:a", "SAMPLES", "0") else {
                Issue.record("MEMORY USAGE is not a number")
                return
            }
            #expect((40...200).contains(bytes))
            #expect(try client.ask("MEMORY", "USAGE", "word:a", "SAMPLES") == .error("ERR syntax error"))
            for _ in 0..<1000 { _ = try client.ask("GET", "word:a") }
            guard case .integer(let lookups) = try client.ask("OBJECT", "FREQ", "word:a") else { return }
            #expect(lookups > 100)
        }
    }

    @Test func `an entry's end is told in the time of day, too`() async throws {
        try await withClient { client, _ async throws in
            _ = try client.ask("GET", "word:a")
            guard case .array(let time) = try client.ask("TIME"), let seconds = time.first?.text.flatMap(Int.init),
                case .integer(let end) = try client.ask("EXPIRETIME", "word:a"),
                case .integer(let exact) = try client.ask("PEXPIRETIME", "word:a")
            else {
                Issue.record("no times")
                return
            }
            #expect((seconds + 58...seconds + 62).contains(end))
            #expect(abs(exact - end * 1000) <= 1500)
        }
    }

    @Test func `SCAN tells keys of one type`() async throws {
        try await withClient { client, _ async throws in
            for key in ["word:a", "account:1", "now"] { _ = try client.ask("GET", key) }
            func keys(_ type: String) throws -> [String] {
                guard case .array(let page) = try client.ask("SCAN", "0", "COUNT", "100", "TYPE", type),
                    case .array(let keys) = page[1]
                else { return [] }
                return keys.compactMap(\.text).sorted()
            }
            #expect(try keys("string") == ["now", "word:a"])
            #expect(try keys("hash") == ["account:1"])
            #expect(try keys("zset") == [])
        }
    }

    @Test func `what monitoring asks a Redis for is answered`() async throws {
        try await withClient { client, _ async throws in
            let empty = Reply.array([])
            let expected: [([String], Reply)] = [
                (["ROLE"], .array([.bulk("master"), .integer(0), empty])), (["WAIT", "0", "100"], .integer(0)),
                (["ACL", "WHOAMI"], .bulk("default")), (["MODULE", "LIST"], empty), (["SLOWLOG", "LEN"], .integer(0)),
                (["SLOWLOG", "GET", "10"], empty), (["LATENCY", "LATEST"], empty), (["LATENCY", "HISTOGRAM"], empty),
                (["LATENCY", "RESET"], .integer(0)),
                (["SLOWLOG", "LAN"], .error("ERR unknown subcommand 'LAN'. Try SLOWLOG HELP.")),
                (["SLOWLOG", "LEN", "1"], .error("ERR wrong number of arguments for 'slowlog|len' command")),
                (["SLOWLOG"], .error("ERR wrong number of arguments for 'slowlog' command")),
            ]
            for (request, reply) in expected {
                try client.send(raw: TestClient.encoded(request))
                #expect(try client.receive() == reply, "\(request)")
            }
            guard case .array(let help) = try client.ask("OBJECT", "HELP") else {
                Issue.record("no help")
                return
            }
            #expect(help.contains(.simpleString("IDLETIME key")))
        }
    }

    @Test func `SLOWLOG tells of slow loads, and what each waited for`() async throws {
        var settings = SlowLoads.Settings()
        settings.longerThan = .zero
        let log = SlowLoads(settings)
        let getter = HeldGetter { $0 == "bad" ? .error(LoadError(.query, "word: no")) : .text($0) }
        let group = try Group("word", in: Cache(slowLoads: log) { .now() }, getter: getter)
        try await withServer([ServedGroup(group, shape: .value)], slowLoads: log) { server in
            let client = try TestClient(server.path)
            for key in ["word:a", "word:bad", "word:a"] { _ = try client.ask("GET", key) }
            // Of three requests one was a hit.
            #expect(try client.ask("SLOWLOG", "LEN") == .integer(2))
            guard case .array(let loads) = try client.ask("SLOWLOG", "GET"), loads.count == 2,
                case .array(let newest) = loads[0], newest.count == 6, case .array(let texts) = newest[3],
                case .integer(let time) = newest[1], case .array(let oldest) = loads[1],
                case .array(let oldestTexts) = oldest[3]
            else {
                Issue.record("SLOWLOG GET has another form")
                return
            }
            #expect(newest[0] == .integer(1) && oldest[0] == .integer(0))
            #expect(abs(time - Int(Date().timeIntervalSince1970)) < 600)
            #expect(newest[4] == .bulk("\(server.path):0") && newest[5] == .bulk(""))
            let words = texts.compactMap(\.text)
            #expect(words.count == 10 && [words[0], words[1]] == ["LOAD", "word:bad"])
            #expect([words[2], words[4], words[6], words[8]] == ["queue", "connection", "database", "error"])
            #expect(words[9] == "query" && words[3] == "0")
            #expect(oldestTexts.count == 8 && oldestTexts[1] == .bulk("word:a"))
            #expect(try client.ask("SLOWLOG", "GET", "1") == .array([loads[0]]))
            #expect(try client.ask("SLOWLOG", "GET", "-1") == .array(loads))
            #expect(try client.ask("SLOWLOG", "GET", "-2").isError)
            #expect(try client.ask("SLOWLOG", "RESET") == .simpleString("OK"))
            #expect(try client.ask("SLOWLOG", "LEN") == .integer(0))
            #expect(try client.ask("INFO", "stats").text?.contains("\r\nslow_loads:2\r\n") == true)
        }
    }

    @Test func `INFO and PGS_STATS tell how long loads took and how many are under way`() async throws {
        let getter = HeldGetter { $0 == "held" ? .held : .text($0) }
        try await withServer([try served("word", getter)]) { server in
            let (client, waiting) = (try TestClient(server.path), try TestClient(server.path))
            for key in ["a", "b", "a"] { _ = try client.ask("GET", "word:\(key)") }
            try waiting.send("GET", "word:held")
            #expect(getter.waitForLoads(3))
            guard case .array(let parts) = try client.ask("PGS.STATS", "word") else {
                Issue.record("PGS.STATS has another form")
                return
            }
            let names = stride(from: 0, to: parts.count, by: 2).compactMap { parts[$0].text }
            let figures = Dictionary(
                uniqueKeysWithValues: zip(names, stride(from: 1, to: parts.count, by: 2).map { parts[$0] }))
            #expect(figures["loads"] == .integer(3) && figures["running_loads"] == .integer(1))
            #expect(figures["queued_loads"] == .integer(0))
            for name in ["load_us", "load_us_p50", "load_us_p99"] { #expect(figures[name] != nil, "\(name)") }
            let text = try client.ask("INFO").text ?? ""
            #expect(text.contains("\r\nrunning_loads:1\r\n") && text.contains(",running_loads=1,"))
            #expect(text.contains("\r\n# CPU\r\nused_cpu_sys:") && text.contains("\r\nopen_descriptors:"))
            #expect(getter.finish("held", "v"))
            #expect(try waiting.receive() == .bulk("v"))
        }
    }

    @Test func `PUBSUB tells what the clients of all loops subscribed to`() async throws {
        try await withClient { client, _ async throws in
            #expect(try client.ask("PUBSUB", "CHANNELS") == .array([]))
        }
        try await withServer([try served("word", HeldGetter { .text($0) })]) { server in
            let (first, second, asking) = (
                try TestClient(server.path), try TestClient(server.path), try TestClient(server.path)
            )
            _ = try first.ask("SUBSCRIBE", "news")
            _ = try second.ask("SUBSCRIBE", "news")
            _ = try second.ask("SUBSCRIBE", "sport")
            _ = try second.ask("PSUBSCRIBE", "n*")
            #expect(try asking.ask("PUBSUB", "CHANNELS") == .array([.bulk("news"), .bulk("sport")]))
            #expect(try asking.ask("PUBSUB", "CHANNELS", "s*") == .array([.bulk("sport")]))
            #expect(try asking.ask("PUBSUB", "NUMPAT") == .integer(1))
            #expect(
                try asking.ask("PUBSUB", "NUMSUB", "news", "what")
                    == .array([.bulk("news"), .integer(2), .bulk("what"), .integer(0)]))
            _ = try first.ask("UNSUBSCRIBE")
            #expect(try second.ask("RESET") == .simpleString("RESET"))
            #expect(try asking.ask("PUBSUB", "CHANNELS") == .array([]))
            #expect(try asking.ask("PUBSUB", "NUMPAT") == .integer(0))
        }
    }

    @Test func `a framework's prefix is asked about, and taken away when the settings say so`() async throws {
        try await withClient { client, _ async throws in
            #expect(
                try client.ask("GET", ":1:account:7")
                    == .error(
                        "ERR the key ':1:account:7' begins with no group; is ':1:' a prefix that your framework adds? "
                            + "Then set listen.key_prefix: \":1:\""))
            #expect(try client.ask("GET", "app:cache:now").text?.contains("is 'app:cache:' a prefix") == true)
        }
        let groups = [
            try served("account", Self.rows(), shape: .row),
            try served("now", HeldGetter(keyParts: 0) { _ in .text("noon") }),
        ]
        try await withServer(groups, keyPrefix: ":1:") { server in
            let client = try TestClient(server.path)
            #expect(try client.ask("GET", ":1:account:7") == .bulk("{\"id\":\"7\"}"))
            #expect(try client.ask("PGS.PEEK", "account:7") == .bulk("{\"id\":\"7\"}"))
            #expect(try client.ask("MGET", ":1:now", "now") == .array([.bulk("noon"), .bulk("noon")]))
            #expect(try client.ask("HGET", ":1:account:7", "id") == .bulk("7"))
            #expect(try client.ask("GET", ":1:").text?.hasPrefix("ERR ") == true)
            // Found under the name by which they are looked for.
            #expect(
                try client.ask("SCAN", "0", "MATCH", ":1:a*") == .array([.bulk("0"), .array([.bulk(":1:account:7")])]))
            #expect(try client.ask("SCAN", "0", "MATCH", "a*") == .array([.bulk("0"), .array([.bulk("account:7")])]))
            #expect(try client.ask("DEL", ":1:account:7") == .integer(1))
        }
    }

    @Test func `INFO counts the entries that have an end, and names the policies`() async throws {
        let forever = try served("forever", HeldGetter { $0 == "none" ? .value(.missing) : .text($0) }) {
            $0.timeToLive = nil
            $0.eviction = .sieve
        }
        let word = try served("word", HeldGetter { .text($0) })
        try await withServer([forever, word]) { server in
            let client = try TestClient(server.path)
            for key in ["forever:a", "forever:b", "forever:none", "word:a"] { _ = try client.ask("GET", key) }
            func keyspace() throws -> String? { try client.ask("INFO", "keyspace").text }
            #expect(try keyspace()?.contains("keys=4,expires=2,") == true)
            _ = try client.ask("PGS.REFRESH", "forever:none")
            _ = try client.ask("DEL", "forever:b", "word:a")
            #expect(try keyspace()?.contains("keys=2,expires=1,") == true)
            #expect(
                try client.ask("INFO", "memory").text?.contains("maxmemory_policy:allkeys-lru,allkeys-sieve\r\n")
                    == true)
            #expect(
                try client.ask("CONFIG", "GET", "maxmemory-policy")
                    == .array([.bulk("maxmemory-policy"), .bulk("allkeys-lru,allkeys-sieve")]))
            #expect(forever.group.checkInvariants() == [])
        }
    }

    @Test func `COMMAND DOCS and INFO tell arguments and subcommands`() async throws {
        try await withClient { client, _ async throws in
            _ = try client.ask("HELLO", "3")
            guard case .map(let commands) = try client.ask("COMMAND", "DOCS", "scan", "config"), commands.count == 2,
                case .map(let scan) = commands[0].value, case .map(let config) = commands[1].value
            else {
                Issue.record("COMMAND DOCS is not a map of maps")
                return
            }
            guard case .array(let arguments)? = scan.first(where: { $0.key == .bulk("arguments") })?.value else {
                Issue.record("no arguments")
                return
            }
            #expect(
                arguments[1]
                    == .map([
                        .init(key: .bulk("name"), value: .bulk("pattern")),
                        .init(key: .bulk("type"), value: .bulk("pattern")),
                        .init(key: .bulk("token"), value: .bulk("MATCH")),
                        .init(key: .bulk("flags"), value: .set([.simpleString("optional")])),
                    ]))
            guard case .map(let subcommands)? = config.first(where: { $0.key == .bulk("subcommands") })?.value else {
                Issue.record("no subcommands")
                return
            }
            #expect(subcommands.map(\.key) == [.bulk("config|get")])
            guard case .array(let info) = try client.ask("COMMAND", "INFO", "object", "nothing"), info.count == 2,
                case .array(let object) = info[0], object.count == 10
            else {
                Issue.record("COMMAND INFO has other elements")
                return
            }
            #expect(info[1] == .null)
            #expect(object[..<2] == [.bulk("object"), .integer(-2)])
            #expect(try client.ask("COMMAND", "GETKEYS", "MGET", "a", "b") == .array([.bulk("a"), .bulk("b")]))
            #expect(try client.ask("COMMAND", "GETKEYS", "OBJECT", "FREQ", "a") == .array([.bulk("a")]))
            #expect(try client.ask("COMMAND", "GETKEYS", "HGET", "a").text?.hasPrefix("ERR Invalid number") == true)
        }
    }
}
