import Groundwork
import RESP
import Testing

struct RequestParserTests {
    @Test func `a pipeline is parsed request by request`() {
        let heard = hearRequests(
            "*2\r\n$3\r\nGET\r\n$3\r\na:1\r\n*1\r\n$4\r\nPING\r\nECHO hi\r\n*2\r\n$3\r\nGET\r\n$0\r\n\r\n*1")
        #expect(heard.messages == [words("GET", "a:1"), words("PING"), words("ECHO", "hi"), words("GET", "")])
        #expect(heard.failure == nil)
        #expect(heard.unparsed == 2)
    }

    @Test func `an argument may hold any byte`() {
        let every = (0...255).map { UInt8($0) }
        let heard = hearRequests([encoded([Array("ECHO".utf8), every, Array("\r\n$1\r\n".utf8)])])
        #expect(heard.messages == [[Array("ECHO".utf8), every, Array("\r\n$1\r\n".utf8)]])
    }

    @Test(arguments: ["\r\n", "\n", "   \r\n", "*0\r\n", "*-1\r\n", "*-10\r\n"])
    func `what asks for nothing is skipped`(nothing: String) {
        let heard = hearRequests(nothing + "*1\r\n$4\r\nPING\r\n")
        #expect(heard.messages == [[], words("PING")])
        #expect(heard.failure == nil)
    }

    @Test(arguments: [
        ("*x\r\n", ProtocolError.invalidMultibulkLength),
        ("*\r\n", .invalidMultibulkLength),
        ("*-\r\n", .invalidMultibulkLength),
        ("*+1\r\n", .invalidMultibulkLength),
        ("*01\r\n", .invalidMultibulkLength),
        ("*1\n", .invalidMultibulkLength),
        ("*1\rx", .invalidMultibulkLength),
        ("*65537\r\n", .invalidMultibulkLength),
        ("*4294967297\r\n", .invalidMultibulkLength),
        ("*9223372036854775807\r\n", .invalidMultibulkLength),
        ("*9223372036854775808\r\n", .invalidMultibulkLength),
        ("*-9223372036854775809\r\n", .invalidMultibulkLength),
        ("*99999999999999999999999999999999999999", .invalidMultibulkLength),
        ("*1\r\n$-1\r\n", .invalidBulkLength),
        ("*1\r\n$-0\r\n", .invalidBulkLength),
        ("*1\r\n$\r\n", .invalidBulkLength),
        ("*1\r\n$1 \r\n", .invalidBulkLength),
        ("*1\r\n$0x1\r\n", .invalidBulkLength),
        ("*1\r\n$1048577\r\n", .invalidBulkLength),
        ("*1\r\n$18446744073709551617\r\n", .invalidBulkLength),
        ("*1\r\n$9223372036854775807\r\n", .invalidBulkLength),
        ("*1\r\n$1048576\r\n", .requestTooBig),
        ("*1\r\n:1\r\n", .expectedBulk(got: UInt8(ascii: ":"))),
        ("*1\r\n\r\n", .expectedBulk(got: UInt8(ascii: "\r"))),
        ("*2\r\n$3\r\nGET\r\nkey\r\n", .expectedBulk(got: UInt8(ascii: "k"))),
        ("*1\r\n$4\r\nPINGxx", .missingLineEnd),
        ("*1\r\n$4\r\nPING\rx", .missingLineEnd),
        ("*1\r\n$3\r\nPING\r\n", .missingLineEnd),
    ])
    func `a malformed array is a protocol error wherever it is cut`(text: String, expected: ProtocolError) {
        let bytes = Array(text.utf8)
        for cut in 0...bytes.count {
            #expect(hearRequests(pieces(bytes, cuts: [cut])).failure == expected, "cut at \(cut)")
        }
        #expect(hearRequests(bytes.map { [$0] }).failure == expected)
    }

    @Test func `errors say what Redis says`() {
        #expect(ProtocolError.expectedBulk(got: UInt8(ascii: "x")).message == "expected '$', got 'x'")
        #expect(ProtocolError.expectedBulk(got: 0x0a).message == "expected '$', got '\\x0a'")
        #expect(ProtocolError.invalidBulkLength.message == "invalid bulk length")
        #expect(ProtocolError.invalidMultibulkLength.message == "invalid multibulk length")
        #expect(ProtocolError.inlineTooBig.message == "too big inline request")
        #expect(ProtocolError.unbalancedQuotes.message == "unbalanced quotes in request")
    }

    static let messages = [
        "*2\r\n$3\r\nGET\r\n$16\r\naccount:12345678\r\n",
        "*1\r\n$0\r\n\r\n*0\r\n*1\r\n$4\r\nPING\r\n",
        "*3\r\n$4\r\nMGET\r\n$11\r\n\r\n$3\r\nabc\r\n\r\n$1\r\nb\r\n",
        "PING\r\nGET \"a \\x41\\r\\n\" 'it\\'s'\n\r\n*1\r\n$4\r\nQUIT\r\n",
        "GET \"unbalanced\r\nPING\r\n",
        "POST / HTTP/1.1\r\n",
    ]

    @Test(arguments: messages)
    func `every split at a byte gives the same requests`(message: String) {
        let bytes = Array(message.utf8)
        let whole = hearRequests([bytes])
        for first in 0...bytes.count {
            for second in first...bytes.count {
                #expect(hearRequests(pieces(bytes, cuts: [first, second])) == whole, "cut at \(first) and \(second)")
            }
        }
        #expect(hearRequests(bytes.map { [$0] }) == whole)
    }

    @Test func `an incomplete request says how many bytes it needs and never too many`() throws {
        let bytes = encoded(words("MGET", "account:1", String(repeating: "x", count: 40), ""))
        for prefix in 0..<bytes.count {
            var parser = RequestParser(limits: RequestLimits(requestBytes: bytes.count))
            guard case .incomplete(let needed) = try parser.parse(bytes.span.bytes.extracting(first: prefix)) else {
                Issue.record("\(prefix) bytes are no request")
                continue
            }
            #expect(needed > prefix && needed <= bytes.count)
            #expect(try parser.parse(bytes.span.bytes) == .request(byteCount: bytes.count))
        }
    }

    @Test func `a request at the limit is served and one byte more is not`() {
        let request = encoded(words("GET", String(repeating: "k", count: 100)))
        let inline = Array("GET \(String(repeating: "k", count: 100))\r\n".utf8)
        for cut in 0...inline.count {
            let cuts = [cut]
            #expect(
                hearRequests(pieces(request, cuts: cuts), limits: RequestLimits(requestBytes: request.count))
                    == HeardRequests(messages: [words("GET", String(repeating: "k", count: 100))]))
            #expect(
                hearRequests(pieces(request, cuts: cuts), limits: RequestLimits(requestBytes: request.count - 1))
                    .failure
                    == .requestTooBig)
            #expect(
                hearRequests(pieces(inline, cuts: cuts), limits: RequestLimits(inlineBytes: inline.count)).failure
                    == nil)
            #expect(
                hearRequests(pieces(inline, cuts: cuts), limits: RequestLimits(inlineBytes: inline.count - 1)).failure
                    == .inlineTooBig)
        }
    }

    @Test func `a limit in the middle of a length is an error and no endless wait`() {
        let request = encoded(words("GET", "key"))
        for limit in 1..<request.count {
            for cut in 0...request.count {
                let heard = hearRequests(pieces(request, cuts: [cut]), limits: RequestLimits(requestBytes: limit))
                #expect(heard.failure == .requestTooBig || heard.failure == .invalidBulkLength)
            }
        }
    }

    @Test func `as many arguments as allowed are served and one more is not`() {
        let limits = RequestLimits(arguments: 3)
        #expect(hearRequests([encoded(words("MGET", "a", "b"))], limits: limits).messages.count == 1)
        #expect(
            hearRequests([encoded(words("MGET", "a", "b", "c"))], limits: limits).failure == .invalidMultibulkLength)
        #expect(hearRequests("MGET a b\r\n", limits: limits).messages.count == 1)
        #expect(hearRequests("MGET a b c\r\n", limits: limits).failure == .invalidMultibulkLength)
    }

    @Test func `a long request does not show through a shorter one behind it`() {
        let long = words("MGET") + Array(repeating: Array("key".utf8), count: 3000)
        let heard = hearRequests([encoded(long) + encoded(words("PING")) + encoded(long) + Array("PING\r\n".utf8)])
        #expect(heard.messages == [long, words("PING"), long, words("PING")])
    }

    @Test func `without a whole request there are no arguments`() throws {
        var parser = RequestParser()
        let bytes = Array("*2\r\n$3\r\nGET\r\n".utf8)
        guard case .incomplete = try parser.parse(bytes.span.bytes) else {
            Issue.record("half a request")
            return
        }
        #expect(parser.argumentCount == 0)
        #expect(arguments(of: parser.request(in: bytes.span.bytes)) == [])
        #expect(throws: ProtocolError.expectedBulk(got: 0)) { try parser.parse((bytes + [0]).span.bytes) }
        #expect(arguments(of: parser.request(in: bytes.span.bytes)) == [])
        #expect(try parser.parse(encoded(words("PING")).span.bytes) == .request(byteCount: 14))
        #expect(parser.argumentCount == 1)
    }

    // Looking at every byte again for each one that arrives would take hours here.
    @Test(.timeLimit(.minutes(10)))
    func `a large request byte by byte costs linear time`() throws {
        let one = encoded(words("ECHO", String(repeating: "x", count: 500_000)))
        let many = encoded(Array(repeating: Array("key".utf8), count: 50_000))
        let line = Array("ECHO \(String(repeating: "x", count: 65_000))\r\n".utf8)
        for request in [one, many, line] {
            var parser = RequestParser()
            for prefix in 0..<request.count {
                _ = try parser.parse(request.span.bytes.extracting(first: prefix))
            }
            #expect(try parser.parse(request.span.bytes) == .request(byteCount: request.count))
        }
    }

    @Test func `random requests cut at random come through`() {
        var random = SplitMix64(seed: 1)
        for _ in 0..<500 {
            var sent: [[[UInt8]]] = []
            for _ in 0..<Int.random(in: 1...8, using: &random) {
                sent.append(
                    (0..<Int.random(in: 1...6, using: &random)).map { _ in
                        let count = Int.random(in: 0...[3, 20, 300].randomElement(using: &random)!, using: &random)
                        return (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
                    })
            }
            let bytes = sent.flatMap(encoded)
            let cuts = (0..<Int.random(in: 0...20, using: &random)).map { _ in
                Int.random(in: 0...bytes.count, using: &random)
            }
            #expect(hearRequests(pieces(bytes, cuts: cuts.sorted())) == HeardRequests(messages: sent))
        }
    }

    @Test func `random bytes give the same outcome however they are cut`() {
        var random = SplitMix64(seed: 2)
        let alphabet = Array("*$012-\r\n\r\n\"'\\x aP:".utf8)
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ in
                alphabet[Int.random(in: 0..<alphabet.count, using: &random)]
            }
            let limits = RequestLimits(requestBytes: Int.random(in: 1...50, using: &random))
            let cut = Int.random(in: 0...bytes.count, using: &random)
            #expect(
                hearRequests(pieces(bytes, cuts: [cut]), limits: limits) == hearRequests([bytes], limits: limits),
                "\(bytes) cut at \(cut)")
        }
    }
}
