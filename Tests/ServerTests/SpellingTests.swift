import CacheCore
import Groundwork
import RESP
import Server
import TestSupport
import Testing

/// A key that may be spelled in several ways is one entry, whatever asks for it.
@Suite(.timeLimit(.minutes(10)))
struct SpellingTests {
    /// Texts in lower case and without a blank at the end are kept; of those with a `?` nobody knows.
    private final class Spelling: KeySpelling, @unchecked Sendable {
        override func isOwn(_ key: RawSpan) -> Bool {
            [UInt8](copying: key).allSatisfy { $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: " ") && !(65...90 ~= $0) }
        }

        override func rewritten(_ key: RawSpan) -> [UInt8]? {
            let key = [UInt8](copying: key)
            if key.contains(UInt8(ascii: "?")) { return nil }
            return Array(String(decoding: key, as: UTF8.self).lowercased().filter { $0 != " " }.utf8)
        }
    }

    /// Answers with the key that it was asked for.
    private final class SpelledGetter: KeyedGetter {
        let known = Spelling()
        let rows: Bool
        let held = HeldGetter { _ in .held }
        var keyParts: Int? { 1 }
        var spelling: KeySpelling? { known }

        init(rows: Bool = false) {
            self.rows = rows
        }

        func load(_ flight: consuming Flight) {
            if flight.key.bytes.starts(with: "??".utf8) { return held.load(flight) }
            let key = String(decoding: flight.key.bytes, as: UTF8.self)
            let isOwn = known.isOwn(flight.key.bytes.span.bytes)
            var value = Value(text: Array("=\(key)".utf8))
            if rows {
                var encoder = RowEncoder(text: Array("{}".utf8).span.bytes, firstByte: nil, fieldBytes: 64)
                encoder.append(name: Array("k".utf8).span.bytes, value: flight.key.bytes.span.bytes)
                value = Value(encoder)
            }
            flight.succeed(isOwn ? value : value.transient())
        }
    }

    private let one = Reply.integer(1)

    private func withClient(
        keyPrefix: String = "", _ body: (TestClient, ServedGroup) async throws -> Void
    ) async throws {
        let group = try served("word", SpelledGetter())
        let rows = try served("row", SpelledGetter(rows: true), shape: .row)
        let plain = try served("plain", HeldGetter { .text($0) })
        try await withServer([group, rows, plain], keyPrefix: keyPrefix) { server in
            try await body(try TestClient(server.path), group)
        }
    }

    @Test func `GET, MGET, pipelines and transactions find one entry under every spelling`() async throws {
        try await withClient { client, group async throws in
            for spelling in ["ab", "AB", "aB ", " ab"] {
                #expect(try client.ask("GET", "word:\(spelling)") == .bulk("=ab"), "\(spelling)")
            }
            #expect(group.group.statistics.loads == 1)
            #expect(
                try client.ask("MGET", "word:AB", "word:CD", "word:cd", "plain:AB", "word: ab")
                    == .array([.bulk("=ab"), .bulk("=cd"), .bulk("=cd"), .bulk("AB"), .bulk("=ab")]))
            let spellings = (0..<100).map { $0 % 2 == 0 ? "EF\($0 / 4)" : " ef\($0 / 4)" }
            try client.send(raw: spellings.flatMap { TestClient.encoded(["GET", "word:\($0)"]) })
            for (number, _) in spellings.enumerated() { #expect(try client.receive() == .bulk("=ef\(number / 4)")) }
            #expect(group.group.statistics.entries == 27)
            _ = try client.ask("MULTI")
            for spelling in ["AB", "ab", "GH", "gH"] { _ = try client.ask("GET", "word:\(spelling)") }
            #expect(try client.ask("EXEC") == .array([.bulk("=ab"), .bulk("=ab"), .bulk("=gh"), .bulk("=gh")]))
        }
    }

    @Test func `what asks about an entry, and what drops it, finds it under every spelling`() async throws {
        try await withClient { client, group async throws in
            #expect(try client.ask("GET", "word:AB") == .bulk("=ab"))
            #expect(try client.ask("EXISTS", "word:aB", "word: AB") == .integer(2))
            #expect(try client.ask("PGS.PEEK", "word:Ab") == .bulk("=ab"))
            #expect(try client.ask("TOUCH", "word:Ab") == one)
            #expect(try client.ask("TTL", "word:AB") != .integer(-2))
            #expect(try client.ask("PGS.REFRESH", "word:AB") == .bulk("=ab"))
            #expect(try client.ask("DEL", "word:AB ") == one)
            #expect(group.group.statistics.entries == 0)
            #expect(try client.ask("PGS.PEEK", "word:ab") == .null)
            #expect(try client.ask("HGET", "row:AB", "k") == .bulk("ab"))
            #expect(try client.ask("HGETALL", "row: ab") == .array([.bulk("k"), .bulk("ab")]))
        }
    }

    @Test func `a framework's prefix is no part of what is spelled`() async throws {
        try await withClient(keyPrefix: ":1:") { client, group async throws in
            #expect(try client.ask("GET", ":1:word:AB") == .bulk("=ab"))
            #expect(try client.ask("GET", "word:ab") == .bulk("=ab"))
            #expect(group.group.statistics.loads == 1)
        }
    }

    @Test func `what only the database can read is delivered, each time anew, and nothing is kept`() async throws {
        try await withClient { client, group async throws in
            for _ in 0..<3 { #expect(try client.ask("GET", "word:a?b") == .bulk("=a?b")) }
            #expect(try client.ask("MGET", "word:a?b", "word:A?B") == .array([.bulk("=a?b"), .bulk("=A?B")]))
            #expect(group.group.statistics.entries == 0)
            #expect(group.group.statistics.loads == 5)
        }
    }

    @Test func `a load of what only the database can read is shared, and fenced by the invalidation of any key`()
        async throws
    {
        let getter = SpelledGetter()
        let group = try served("word", getter)
        try await withServer([group]) { server in
            let clients = try (0..<3).map { _ in try TestClient(server.path) }
            try clients[0].send(raw: TestClient.encoded(["GET", "word:??a"]))
            #expect(getter.held.waitForLoads(1))
            try clients[1].send(raw: TestClient.encoded(["GET", "word:??a"]))
            #expect(await eventually { group.group.statistics.gets == 2 })
            #expect(group.group.statistics.loads == 1)
            // What it reads may be what this is about.
            group.group.invalidate(Array("z".utf8).span.bytes)
            try clients[2].send(raw: TestClient.encoded(["GET", "word:??a"]))
            #expect(getter.held.waitForLoads(2))
            #expect(getter.held.finish("??a", "old"))
            #expect(getter.held.finish("??a", "new"))
            #expect(try clients[0].receive() == .bulk("old"))
            #expect(try clients[1].receive() == .bulk("old"))
            #expect(try clients[2].receive() == .bulk("new"))
        }
    }

    @Test func `a watched key is told of under every spelling, and one that can't be told of is refused`() async throws
    {
        try await withClient { client, group async throws in
            #expect(try client.ask("GET", "word:ab") == .bulk("=ab"))
            #expect(try client.ask("WATCH", "word:AB") == .simpleString("OK"))
            group.group.invalidate(Array("ab".utf8).span.bytes)
            _ = try client.ask("MULTI")
            _ = try client.ask("GET", "word:ab")
            #expect(try client.ask("EXEC") == .null)
            guard case .error(let text) = try client.ask("WATCH", "word:a?b") else {
                Issue.record("no error")
                return
            }
            #expect(text.contains("can't be watched"))
        }
    }
}
