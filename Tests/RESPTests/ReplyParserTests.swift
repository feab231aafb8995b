import RESP
import TestSupport
import Testing

struct ReplyParserTests {
    static let replies: [(String, Reply)] = [
        ("+OK\r\n", .simpleString("OK")),
        ("+\r\n", .simpleString("")),
        ("-ERR no\r\n", .error("ERR no")),
        (":0\r\n", .integer(0)),
        (":-9223372036854775808\r\n", .integer(.min)),
        ("$5\r\na\r\nbc\r\n", .bulk("a\r\nbc")),
        ("$0\r\n\r\n", .bulk("")),
        ("$-1\r\n", .null),
        ("*-1\r\n", .null),
        ("_\r\n", .null),
        ("*0\r\n", .array([])),
        ("*2\r\n*1\r\n*0\r\n$1\r\nx\r\n", .array([.array([.array([])]), .bulk("x")])),
        (",1.5\r\n", .double(1.5)),
        (",-inf\r\n", .double(-.infinity)),
        (",10\r\n", .double(10)),
        ("#t\r\n", .boolean(true)),
        ("#f\r\n", .boolean(false)),
        ("(123456789012345678901234567890\r\n", .bigNumber("123456789012345678901234567890")),
        ("!6\r\nERR no\r\n", .error("ERR no")),
        ("=6\r\ntxt:hi\r\n", .verbatim(format: "txt", Array("hi".utf8))),
        (
            "%2\r\n+a\r\n*1\r\n:1\r\n+b\r\n%0\r\n",
            .map([
                .init(key: .simpleString("a"), value: .array([.integer(1)])),
                .init(key: .simpleString("b"), value: .map([])),
            ])
        ),
        ("~2\r\n:1\r\n:2\r\n", .set([.integer(1), .integer(2)])),
        (">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n", .push([.bulk("invalidate"), .array([.bulk("k")])])),
        ("|1\r\n+ttl\r\n:5\r\n*2\r\n:1\r\n|1\r\n+a\r\n*1\r\n:1\r\n:2\r\n", .array([.integer(1), .integer(2)])),
        ("|0\r\n+OK\r\n", .simpleString("OK")),
    ]

    @Test(arguments: replies)
    func `every kind of reply is understood wherever it is split`(text: String, expected: Reply) {
        let bytes = Array((text + text).utf8)
        for cut in 0...bytes.count {
            #expect(hearReplies(pieces(bytes, cuts: [cut])) == HeardReplies(messages: [expected, expected]))
        }
        #expect(hearReplies(bytes.map { [$0] }) == HeardReplies(messages: [expected, expected]))
    }

    @Test(arguments: [
        ("x\r\n", ReplyError.unknownType(UInt8(ascii: "x"))),
        ("\r\n", .unknownType(UInt8(ascii: "\r"))),
        ("$?\r\n", .invalidLength),
        ("$-2\r\n", .invalidLength),
        ("!-1\r\n", .invalidLength),
        ("$99999999999\r\n", .invalidLength),
        ("$9223372036854775808\r\n", .invalidLength),
        ("$9999999999\r\n", .tooBig),
        ("*-2\r\n", .invalidLength),
        ("~-1\r\n", .invalidLength),
        ("%-1\r\n", .invalidLength),
        ("*9999999999\r\n", .invalidLength),
        ("%4611686018427387905\r\n", .invalidLength),
        (":\r\n", .invalidValue),
        (":1x\r\n", .invalidValue),
        (":9223372036854775808\r\n", .invalidValue),
        ("#x\r\n", .invalidValue),
        ("_x\r\n", .invalidValue),
        ("(12a\r\n", .invalidValue),
        ("(-\r\n", .invalidValue),
        (",0x10\r\n", .invalidValue),
        (",infinity\r\n", .invalidValue),
        ("=2\r\nab\r\n", .invalidValue),
        ("$1\r\nabc", .missingLineEnd),
        ("+a\nb\r\n", .missingLineEnd),
        ("+a\rb\r\n", .missingLineEnd),
        ("*2\r\n:1\r\n?\r\n", .unknownType(UInt8(ascii: "?"))),
    ])
    func `a malformed reply is an error wherever it is cut`(text: String, expected: ReplyError) {
        let bytes = Array(text.utf8)
        for cut in 0...bytes.count {
            #expect(hearReplies(pieces(bytes, cuts: [cut])).failure == expected, "cut at \(cut)")
        }
    }

    @Test(arguments: ["*1\r\n", "~1\r\n", ">1\r\n", "%1\r\n:0\r\n", "|1\r\n:0\r\n"])
    func `nesting is bounded`(level: String) {
        let limits = ReplyLimits(depth: 5)
        let attribute = level.hasPrefix("|") ? String(repeating: ":1\r\n", count: 5) : ""
        let allowed = String(repeating: level, count: 5) + ":1\r\n" + attribute
        #expect(hearReplies(allowed, limits: limits).messages.count == 1)
        #expect(hearReplies(level + allowed, limits: limits).failure == .tooDeep)
        #expect(hearReplies(String(repeating: level, count: 100_000)).failure == .tooDeep)
    }

    @Test func `the deepest nesting allowed is parsed, compared and freed`() {
        let limits = ReplyLimits(depth: 1000)
        let text = String(repeating: "*1\r\n", count: 512) + ":1\r\n"
        #expect(hearReplies(text, limits: limits) == hearReplies([Array(text.utf8)], limits: limits))
        #expect(hearReplies("*1\r\n" + text, limits: limits).failure == .tooDeep)
    }

    @Test func `a reply at the limit is taken and one byte more is not`() {
        let bytes = Array("*2\r\n$10\r\n0123456789\r\n+OK\r\n".utf8)
        for cut in 0...bytes.count {
            let cuts = pieces(bytes, cuts: [cut])
            #expect(hearReplies(cuts, limits: ReplyLimits(replyBytes: bytes.count)).messages.count == 1)
            #expect(hearReplies(cuts, limits: ReplyLimits(replyBytes: bytes.count - 1)).failure == .tooBig)
        }
    }

    @Test(.timeLimit(.minutes(10)))
    func `a large reply byte by byte costs linear time`() throws {
        let nested = "*50000\r\n" + String(repeating: "*1\r\n:1\r\n", count: 50_000)
        for text in ["+\(String(repeating: "x", count: 400_000))\r\n", nested] {
            let bytes = Array(text.utf8)
            var parser = ReplyParser()
            for prefix in 0..<bytes.count { _ = try parser.parse(bytes.span.bytes.extracting(first: prefix)) }
            guard case .reply(_, bytes.count) = try parser.parse(bytes.span.bytes) else {
                Issue.record("not a reply")
                return
            }
        }
    }
}
