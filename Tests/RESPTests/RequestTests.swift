import RESP
import Testing

struct RequestTests {
    private func withRequest<R>(_ arguments: [String], _ body: (borrowing Request) throws -> R) throws -> R {
        let bytes = encoded(arguments.map { Array($0.utf8) })
        var parser = RequestParser()
        #expect(try parser.parse(bytes.span.bytes) == .request(byteCount: bytes.count))
        #expect(parser.argumentCount == arguments.count)
        return try body(parser.request(in: bytes.span.bytes))
    }

    private func word(_ name: String) throws -> CommandWord {
        try withRequest([name]) { $0.word(at: 0) }
    }

    @Test(arguments: ["get", "GET", "gEt"])
    func `a command word ignores case`(name: String) throws {
        #expect(try word(name) == "get")
        #expect(try word(name) == "GET")
    }

    @Test func `a command word is equal only to its name`() throws {
        let names = [
            "", "g", "get", "get\0", "mget", "hgetall", "hgetalls", "pgs.refresh", "client|setname", "fifteen-letters",
        ]
        for name in names {
            for other in names { #expect(try (word(name) == word(other)) == (name == other)) }
        }
    }

    @Test func `only letters change their case`() throws {
        for byte in UInt8(0)..<128 {
            let character = String(UnicodeScalar(byte))
            let lowered = UnicodeScalar(byte).properties.lowercaseMapping
            #expect(try word("aaaaaaa\(character)aa\(character)") == word("AAAAAAA\(lowered)AA\(lowered)"))
            #expect(try word(character) == word(lowered))
            for other in UInt8(0)..<128 where UnicodeScalar(other).properties.lowercaseMapping != lowered {
                #expect(try word(character) != word(String(UnicodeScalar(other))))
            }
        }
        // 0xc3 0x89 is a capital letter in UTF-8 and none in ASCII.
        #expect(try word("\u{c9}") != word("\u{e9}"))
    }

    @Test func `a name too long matches nothing`() throws {
        let tooLong = try word("sixteen--letters")
        #expect(tooLong != "sixteen--letter")
        #expect(tooLong != "")
        #expect(try word(String(repeating: "get", count: 100)) != "get")
    }

    @Test(arguments: [
        ("0", 0), ("7", 7), ("-7", -7), ("1234567890", 1_234_567_890),
        ("9223372036854775807", Int.max), ("-9223372036854775808", Int.min),
    ])
    func `an argument is read as a number`(text: String, value: Int) throws {
        #expect(try withRequest(["HELLO", text]) { $0.integer(at: 1) } == value)
    }

    @Test(arguments: [
        "", "-", "+1", "01", "-0", "1 ", " 1", "1x", "0x1", "9223372036854775808", "-9223372036854775809",
        "99999999999999999999999999",
    ])
    func `what is no number is nil`(text: String) throws {
        #expect(try withRequest(["HELLO", text]) { $0.integer(at: 1) } == nil)
    }

    @Test func `arguments are told as words and as text`() throws {
        try withRequest(["CLIENT", "SetName", "n\u{e9}"]) { request in
            #expect(request.count == 3)
            #expect(request.word(at: 1) == "setname")
            #expect(request.string(at: 2) == "n\u{e9}")
            #expect(request[2].array == Array("n\u{e9}".utf8))
        }
    }
}
