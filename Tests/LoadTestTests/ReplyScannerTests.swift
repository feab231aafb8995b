import Testing

@testable import LoadTest

@Suite struct ReplyScannerTests {
    /// What a scanner told, reply by reply.
    private enum Told: Equatable {
        case plain
        case missing([Int])
        case error(String)
    }

    /// Scans a text that comes in pieces of this length.
    private func scan(_ text: String, inPiecesOf length: Int) throws -> [Told] {
        var scanner = ReplyScanner()
        var told: [Told] = []
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let piece = Array(rest.prefix(length))
            rest = rest.dropFirst(length)
            var offset = 0
            while offset < piece.count {
                let (plain, odd) = try scanner.scan(piece.span.bytes, from: &offset)
                told += Array(repeating: .plain, count: plain)
                switch odd {
                case nil: break
                case .missing: told.append(.missing(scanner.missing))
                case .error: told.append(.error(scanner.error))
                }
                if odd != nil { scanner.forget() }
            }
        }
        return told
    }

    private static let replies =
        "$2\r\n\r\n\r\n$-1\r\n+OK\r\n*3\r\n$1\r\na\r\n$-1\r\n$-1\r\n-ERR no\r\n:7\r\n*2\r\n$0\r\n\r\n$1\r\nb\r\n*0\r\n*-1\r\n$1\r\nc\r\n"

    @Test(arguments: 1...20) func `replies are told apart however they are cut`(_ length: Int) throws {
        let told = try scan(Self.replies, inPiecesOf: length)
        #expect(
            told == [
                .plain, .missing([0]), .plain, .missing([1, 2]), .error("ERR no"), .plain, .plain, .plain,
                .missing([0]), .plain,
            ])
    }

    @Test(arguments: ["!5\r\n", "$x\r\n", "*1\r\n*1\r\n$1\r\na\r\n", "$99999999999999999999\r\n"])
    func `what is no reply is refused`(_ text: String) {
        #expect(throws: ConnectionError.self) { try scan(text, inPiecesOf: 64) }
    }

    @Test func `a line without end is refused`() {
        #expect(throws: ConnectionError.self) {
            try scan("+" + String(repeating: "a", count: 100_000), inPiecesOf: 1000)
        }
    }
}
