import Foundation
import Server
import TestSupport
import Testing

/// Who is connected, and who may close others.
@Suite(.timeLimit(.minutes(10)))
struct ClientCommandTests {
    /// A line's names and values.
    private func fields(_ line: String) -> [(name: String, value: String)] {
        line.split(separator: " ").map { field in
            let parts = field.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (String(parts[0]), String(parts[1]))
        }
    }

    private func withClient(
        configure: (inout ServerSettings) -> Void = { _ in }, _ body: (TestServer, TestClient) async throws -> Void
    ) async throws {
        try await withServer(
            [try served("word", HeldGetter { $0 == "slow" ? .held : .text($0) })], configure: configure
        ) {
            server in try await body(server, try TestClient(server.path))
        }
    }

    @Test func `CLIENT LIST and INFO have the fields of Redis 7_2, in its order, and no others`() async throws {
        let expected = """
            id addr laddr fd name age idle flags db sub psub ssub multi qbuf qbuf-free argv-mem multi-mem rbs rbp obl oll omem \
            tot-mem events cmd user redir resp lib-name lib-ver
            """
        try await withClient { _, client in
            for request in ["LIST", "INFO"] {
                let text = try #require(try client.ask("CLIENT", request).text)
                #expect(text.hasSuffix("\n"))
                #expect(fields(text.trimmingCharacters(in: .newlines)).map(\.name).joined(separator: " ") == expected)
            }
        }
    }

    @Test func `a line tells what its client is at`() async throws {
        try await withClient { server, asking in
            let client = try TestClient(server.path)
            _ = try client.ask("CLIENT", "SETNAME", "shop")
            guard case .integer(let id) = try client.ask("CLIENT", "ID") else { return }
            func line() throws -> [String: String] {
                let text = try asking.ask("CLIENT", "LIST", "ID", "\(id)").text ?? ""
                return Dictionary(uniqueKeysWithValues: fields(text.trimmingCharacters(in: .newlines)))
            }
            #expect(try line()["name"] == "shop")
            #expect(try line()["cmd"] == "client")
            #expect(try line()["multi"] == "-1")
            #expect(try line()["addr"] == "\(server.path):0")
            _ = try client.ask("GET", "word:a")
            #expect(try line()["cmd"] == "get")
            _ = try client.ask("MULTI")
            #expect(try line()["cmd"] == "multi")
            _ = try client.ask("GET", "word:a")
            #expect(try line()["multi"] == "1")
            #expect(try line()["flags"] == "xU")
            #expect(try line()["cmd"] == "get")
            _ = try client.ask("DISCARD")
            _ = try client.ask("HELLO", "3")
            _ = try client.ask("SUBSCRIBE", "a", "b")
            #expect(try line()["sub"] == "2")
            #expect(try line()["resp"] == "3")
            #expect(try line()["flags"] == "PU")
            #expect(try asking.ask("CLIENT", "LIST", "TYPE", "pubsub").text?.contains("id=\(id) ") == true)
            #expect(try asking.ask("CLIENT", "LIST", "TYPE", "normal").text?.contains("id=\(id) ") == false)
            #expect(try asking.ask("CLIENT", "LIST", "TYPE", "replica") == .bulk(""))
            #expect(try asking.ask("CLIENT", "LIST", "ID", "\(id)", "12345").text?.filter { $0 == "\n" }.count == 1)
            #expect(try asking.ask("CLIENT", "LIST", "ID", "x") == .error("ERR Invalid client ID"))
            #expect(try asking.ask("CLIENT", "LIST", "TYPE", "what") == .error("ERR Unknown client type 'what'"))
            #expect(try asking.ask("CLIENT", "LIST", "ID") == .error("ERR syntax error"))
        }
    }

    @Test func `CLIENT KILL closes those whom its filters name, on any loop`() async throws {
        try await withClient { server, killer in
            var victims: [TestClient] = []
            for _ in 0..<3 { victims.append(try TestClient(server.path)) }
            guard case .integer(let id) = try victims[0].ask("CLIENT", "ID") else { return }
            _ = try victims[1].ask("SUBSCRIBE", "a")
            _ = try victims[2].ask("PING")
            #expect(try killer.ask("CLIENT", "KILL", "ID", "99999") == .integer(0))
            #expect(try killer.ask("CLIENT", "KILL", "ID", "\(id)") == .integer(1))
            #expect(try victims[0].isAtEnd())
            #expect(try killer.ask("CLIENT", "KILL", "TYPE", "pubsub", "USER", "default") == .integer(1))
            #expect(try victims[1].isAtEnd())
            #expect(try killer.ask("CLIENT", "KILL", "ADDR", "1.2.3.4:5") == .integer(0))
            #expect(try killer.ask("CLIENT", "KILL", "LADDR", "\(server.path):0") == .integer(1))
            #expect(try victims[2].isAtEnd())
            for (request, error) in [
                (["ID", "x"], "ERR client-id should be greater than 0"), (["FOO", "bar"], "ERR syntax error"),
                (["TYPE", "foo"], "ERR Unknown client type 'foo'"), (["SKIPME", "maybe"], "ERR syntax error"),
                (["ID", "1", "TYPE"], "ERR syntax error"),
            ] {
                try killer.send(raw: TestClient.encoded(["CLIENT", "KILL"] + request))
                #expect(try killer.receive() == .error(error))
            }
            #expect(try killer.ask("CLIENT", "KILL", "1.2.3.4:5").text?.hasPrefix("ERR No such client") == true)
            #expect(try killer.ask("CLIENT", "KILL", "SKIPME", "no") == .integer(1))
            #expect(try killer.isAtEnd())
        }
    }

    @Test func `a client that waits for a load can be closed, and its load goes on`() async throws {
        try await withClient { server, killer in
            let client = try TestClient(server.path)
            guard case .integer(let id) = try client.ask("CLIENT", "ID") else { return }
            try client.send("GET", "word:slow")
            #expect(await eventually { server.server.statistics.pending == 1 })
            #expect(try killer.ask("CLIENT", "KILL", "ID", "\(id)") == .integer(1))
            #expect(try client.isAtEnd())
            #expect(await eventually { server.server.statistics.pending == 0 })
            #expect(try killer.ask("PING") == .simpleString("PONG"))
        }
    }

    @Test func `what concerns all clients can be kept to named users`() async throws {
        let requests = [
            ["FLUSHALL"], ["FLUSHDB", "ASYNC"], ["PGS.FLUSH", "word"], ["CLIENT", "KILL", "ID", "99999"],
        ]
        try await withClient(configure: { $0.adminUsers = [getuid() + 1] }) { _, client in
            _ = try client.ask("GET", "word:a")
            for request in requests {
                try client.send(raw: TestClient.encoded(request))
                let name = request[0] == "CLIENT" ? "CLIENT KILL" : request[0]
                #expect(try client.receive() == .error("NOPERM \(name) is kept to listen.admin_users"))
            }
            _ = try client.ask("MULTI")
            _ = try client.ask("FLUSHALL")
            #expect(try client.ask("EXEC") == .array([.error("NOPERM FLUSHALL is kept to listen.admin_users")]))
            #expect(try client.ask("DBSIZE") == .integer(1))
            // One key, and oneself, are everyone's.
            #expect(try client.ask("DEL", "word:a") == .integer(1))
            #expect(try client.ask("CLIENT", "LIST").text?.isEmpty == false)
        }
        try await withClient(configure: { $0.adminUsers = [getuid()] }) { _, client in
            for request in requests {
                try client.send(raw: TestClient.encoded(request))
                let reply = try client.receive()
                #expect(reply == .simpleString("OK") || reply == .integer(0), "\(request)")
            }
        }
    }
}
