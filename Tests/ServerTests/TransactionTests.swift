import Foundation
import Server
import Synchronization
import TestSupport
import Testing

@testable import CacheCore

/// MULTI, EXEC and what belongs to them, with the replies of redis-server 7.0.
@Suite(.timeLimit(.minutes(10)))
struct TransactionTests {
    private let queued = Reply.simpleString("QUEUED")
    private let ok = Reply.simpleString("OK")

    private func withClients(
        _ getter: HeldGetter = HeldGetter { $0 == "bad" ? .error(LoadError(.query, "no such column")) : .text($0) },
        configure: (inout ServerSettings) -> Void = { _ in }, _ body: (TestClient, TestClient) async throws -> Void
    ) async throws {
        try await withServer([try served("word", getter)], configure: configure) { server in
            try await body(try TestClient(server.path), try TestClient(server.path))
        }
    }

    @Test(arguments: ["2", "3"])
    func `EXEC answers what was queued, in order, a failing element by an error inside`(_ version: String) async throws
    {
        try await withClients { client, _ async throws in
            _ = try client.ask("HELLO", version)
            for _ in 0..<2 {
                #expect(try client.ask("MULTI") == ok)
                for request in [["GET", "word:a"], ["GET", "word:bad"], ["MGET", "word:b", "word:a"], ["PING"]] {
                    try client.send(raw: TestClient.encoded(request))
                    #expect(try client.receive() == queued)
                }
                #expect(
                    try client.ask("EXEC")
                        == .array([
                            .bulk("a"), .error("QUERY no such column"), .array([.bulk("b"), .bulk("a")]),
                            .simpleString("PONG"),
                        ]))
            }
            #expect(try client.ask("GET", "word:a") == .bulk("a"))
            #expect(try client.ask("MULTI") == ok)
            #expect(try client.ask("EXEC") == .array([]))
        }
    }

    @Test func `a transaction that is pipelined behind a slow load comes whole and in its turn`() async throws {
        let getter = HeldGetter { $0.hasPrefix("slow") ? .held : .text($0) }
        try await withClients(getter) { client, _ async throws in
            try client.send("GET", "word:slow1")
            for request in [["MULTI"], ["GET", "word:slow2"], ["GET", "word:a"], ["EXEC"], ["PING"]] {
                try client.send(raw: TestClient.encoded(request))
            }
            #expect(getter.waitForLoads(2))
            #expect(getter.finish("slow2", "two"))
            #expect(!client.hasInput(within: 50))
            #expect(getter.finish("slow1", "one"))
            let expected: [Reply] = [
                .bulk("one"), ok, queued, queued, .array([.bulk("two"), .bulk("a")]), .simpleString("PONG"),
            ]
            for reply in expected { #expect(try client.receive() == reply) }
        }
    }

    @Test func `a refused request makes EXEC say so`() async throws {
        try await withClients { client, _ async throws in
            let aborted = Reply.error("EXECABORT Transaction discarded because of previous errors.")
            let refused: [([String], String)] = [
                (["SET", "word:a", "x"], "ERR SET is not supported"), (["NOSUCH"], "ERR unknown command 'NOSUCH'"),
                (["GET"], "ERR wrong number of arguments for 'get'"),
                (["CLIENT", "NOSUCH"], "ERR unknown subcommand 'NOSUCH'"),
                (["OBJECT", "FREQ"], "ERR wrong number of arguments for 'object|freq'"),
                (["SUBSCRIBE", "a", "b"], "ERR SUBSCRIBE is not for transactions"),
            ]
            for (request, error) in refused {
                #expect(try client.ask("MULTI") == ok)
                #expect(try client.ask("GET", "word:a") == queued)
                try client.send(raw: TestClient.encoded(request))
                let reply = try client.receive()
                #expect(reply.text?.hasPrefix(error) == true, "\(reply)")
                #expect(try client.ask("EXEC") == aborted)
                #expect(try client.ask("GET", "word:a") == .bulk("a"))
            }
        }
    }

    @Test func `what stands out of turn is told so, and harms nothing`() async throws {
        try await withClients { client, _ async throws in
            #expect(try client.ask("EXEC") == .error("ERR EXEC without MULTI"))
            #expect(try client.ask("DISCARD") == .error("ERR DISCARD without MULTI"))
            #expect(try client.ask("UNWATCH") == ok)
            #expect(try client.ask("MULTI") == ok)
            #expect(try client.ask("MULTI") == .error("ERR MULTI calls can not be nested"))
            #expect(try client.ask("WATCH", "word:a") == .error("ERR WATCH inside MULTI is not allowed"))
            #expect(try client.ask("GET", "word:a") == queued)
            #expect(try client.ask("UNWATCH") == queued)
            #expect(try client.ask("EXEC") == .array([.bulk("a"), ok]))
            #expect(try client.ask("MULTI") == ok)
            #expect(try client.ask("GET", "word:a") == queued)
            #expect(try client.ask("DISCARD") == ok)
            #expect(try client.ask("EXEC") == .error("ERR EXEC without MULTI"))
            #expect(try client.ask("MULTI") == ok)
            #expect(try client.ask("RESET") == .simpleString("RESET"))
            #expect(try client.ask("GET", "word:a") == .bulk("a"))
            #expect(try client.ask("WATCH", "what:a").text?.hasPrefix("ERR no group 'what'") == true)
            #expect(try client.ask("MULTI") == ok)
            #expect(try client.ask("QUIT") == ok)
            #expect(try client.isAtEnd())
        }
    }

    @Test func `HELLO in a transaction counts from its element on`() async throws {
        try await withServer([try served("row", CommandTests.rows(), shape: .row)]) { server in
            let client = try TestClient(server.path)
            _ = try client.ask("MULTI")
            for request in [["HGETALL", "row:none"], ["HELLO", "3"], ["HGETALL", "row:none"]] {
                try client.send(raw: TestClient.encoded(request))
                #expect(try client.receive() == queued)
            }
            guard case .array(let replies) = try client.ask("EXEC"), replies.count == 3 else {
                Issue.record("EXEC is not answered by three")
                return
            }
            #expect(replies[0] == .array([]))
            #expect(replies[2] == .map([]))
        }
    }

    @Test func `EXEC does nothing when a watched key was invalidated, by whomever`() async throws {
        try await withClients { client, other async throws in
            func exec() throws -> Reply {
                #expect(try client.ask("MULTI") == ok)
                #expect(try client.ask("GET", "word:a") == queued)
                return try client.ask("EXEC")
            }
            let done = Reply.array([.bulk("a")])
            _ = try client.ask("GET", "word:a")
            for flush in [["DEL", "word:a"], ["FLUSHALL"], ["PGS.FLUSH", "word"]] {
                for culprit in [client, other] {
                    #expect(try client.ask("WATCH", "word:b", "word:a") == ok)
                    try culprit.send(raw: TestClient.encoded(flush))
                    _ = try culprit.receive()
                    #expect(try exec() == .null, "\(flush)")
                    // That was all.
                    #expect(try exec() == done)
                }
            }
            #expect(try client.ask("WATCH", "word:a") == ok)
            #expect(try exec() == done)
            _ = try other.ask("DEL", "word:a")
            #expect(try exec() == done)
            // Another key, nothing that was there, a reload, or one that is not watched any more.
            #expect(try client.ask("WATCH", "word:a", "word:never") == ok)
            _ = try other.ask("DEL", "word:b", "word:never")
            _ = try other.ask("PGS.REFRESH", "word:a")
            #expect(try exec() == done)
            for ending in ["UNWATCH", "RESET"] {
                #expect(try client.ask("WATCH", "word:a") == ok)
                _ = try other.ask("DEL", "word:a")
                _ = try client.ask(ending)
                #expect(try exec() == done)
            }
        }
    }

    @Test func `groups are observed while somebody watches, and only then`() async throws {
        let word = try served("word", HeldGetter { .text($0) })
        func isObserved() -> Bool { word.group.observers.exist }
        try await withServer([word]) { server async throws in
            let client = try TestClient(server.path)
            _ = try client.ask("WATCH", "word:a")
            #expect(isObserved())
            _ = try client.ask("QUIT")
            #expect(try client.isAtEnd())
            #expect(await eventually { !isObserved() })
            let long = String(repeating: "k", count: 200 << 10)
            let other = try TestClient(server.path)
            #expect(try other.ask("WATCH", "word:\(long)") == ok)
            #expect(try other.ask("WATCH", "word:\(long)2").text?.hasPrefix("ERR a client's watched keys") == true)
        }
    }

    @Test func `a transaction is bounded as a request is, and its reply as one`() async throws {
        let long = String(repeating: "x", count: 10_000)
        try await withClients(HeldGetter { _ in .text(long) }) {
            $0.maxRequest = 4096
            $0.maxOutput = 1 << 16
        } _: { client, _ async throws in
            _ = try client.ask("MULTI")
            var replies: [Reply] = []
            for _ in 0..<200 { replies.append(try client.ask("GET", "word:a")) }
            #expect(replies[100] == queued)
            #expect(replies[199] == .error("ERR a transaction may take at most max_request (4096 bytes)"))
            #expect(try client.ask("EXEC").text?.hasPrefix("EXECABORT") == true)
            _ = try client.ask("MULTI")
            for _ in 0..<100 { _ = try client.ask("GET", "word:a") }
            guard case .array(let elements) = try client.ask("EXEC"), elements.count == 100 else {
                Issue.record("EXEC is not answered by an array")
                return
            }
            // What the kernel took meanwhile does not count; what there is no room for is an error, not a gap.
            for element in elements {
                #expect(
                    element == .bulk(long)
                        || element == .error("TOOLARGE the reply would take more than max_output (65536 bytes)"))
            }
            #expect(elements[0] == .bulk(long))
            #expect(try client.ask("PING") == .simpleString("PONG"))
        }
    }

    @Test func `thousands of requests in a transaction are answered to a client that reads nothing before`()
        async throws
    {
        try await withClients { client, _ async throws in
            var bytes = TestClient.encoded(["MULTI"])
            for index in 0..<10_000 { bytes += TestClient.encoded(["GET", "word:\(index % 300)"]) }
            try client.send(raw: bytes + TestClient.encoded(["EXEC"]))
            #expect(try client.receive() == ok)
            for _ in 0..<10_000 { #expect(try client.receive() == queued) }
            guard case .array(let elements) = try client.receive() else {
                Issue.record("EXEC is not answered by an array")
                return
            }
            #expect(elements == (0..<10_000).map { .bulk("\($0 % 300)") })
        }
    }
}
