import RESP
import Testing

struct PlainGetTests {
    /// What the parser says of the request at the beginning of `bytes`: its length and its key, when it is a GET of one key.
    private func parsed(_ bytes: [UInt8]) -> (end: Int, key: [UInt8])? {
        var parser = RequestParser()
        guard case .request(let count)? = try? parser.parse(bytes.span.bytes), parser.argumentCount == 2 else {
            return nil
        }
        let request = parser.request(in: bytes.span.bytes)
        guard request.word(at: 0) == "get" else { return nil }
        return (count, request[1].withUnsafeBytes { Array($0) })
    }

    private func recognised(_ bytes: [UInt8], at start: Int = 0) -> (end: Int, key: [UInt8])? {
        guard let get = PlainGet(bytes.span.bytes, at: start) else { return nil }
        return (get.end, Array(bytes[get.keyStart..<get.keyStart + get.keyLength]))
    }

    private func request(_ key: String, name: String = "GET") -> [UInt8] {
        Array("*2\r\n$\(name.utf8.count)\r\n\(name)\r\n$\(key.utf8.count)\r\n\(key)\r\n".utf8)
    }

    @Test(arguments: ["", "k", "account:4711", String(repeating: "x", count: 12345), "a\r\nb\0c"])
    func `a GET in the usual form is recognised with its key and its end`(key: String) throws {
        for name in ["GET", "get", "GeT"] {
            let bytes = request(key, name: name)
            let get = try #require(recognised(bytes + Array("*1\r\n".utf8)))
            #expect(get.key == Array(key.utf8))
            #expect(get.end == bytes.count)
        }
    }

    @Test func `requests behind one another are recognised each from its own offset`() throws {
        let bytes = request("a") + request("bb")
        let first = try #require(recognised(bytes))
        #expect(recognised(bytes, at: first.end)?.key == Array("bb".utf8))
        #expect(recognised(bytes, at: bytes.count) == nil)
        #expect(recognised(bytes, at: bytes.count + 9) == nil)
        #expect(recognised(bytes, at: -1) == nil)
    }

    @Test func `cut at any byte it is not recognised`() {
        let bytes = request("account:4711")
        for count in 0..<bytes.count { #expect(recognised(Array(bytes[..<count])) == nil) }
    }

    @Test(arguments: [
        "*2\r\n$3\r\nSET\r\n$1\r\nk\r\n", "*3\r\n$3\r\nGET\r\n$1\r\nk\r\n$1\r\nk\r\n",
        "*2\r\n$3\r\nGET\r\n$01\r\nk\r\n",
        "*2\r\n$3\r\nGET\r\n$-1\r\nk\r\n", "*2\r\n$3\r\nGET\r\n$2\r\nk\r\n\r\n", "*2\r\n$3\r\nGET\r\n$\r\nk\r\nxxxxx",
        "*2\r\n$3\r\nGET\r\n$99999999999999999999\r\nk\r\n", "*2\r\n$4\r\nMGET\r\n$1\r\nk\r\n",
        "GET kkkkkkkkkkkkkkkkkkk\r\n",
    ])
    func `anything else is left to the parser`(text: String) {
        #expect(recognised(Array(text.utf8)) == nil)
    }

    @Test func `what is recognised the parser understands in the same way, whatever a byte is changed to`() {
        let bytes = request("key:12") + request("other")
        for offset in 0..<bytes.count {
            for value in UInt8.min...UInt8.max {
                var changed = bytes
                changed[offset] = value
                guard let get = recognised(changed) else { continue }
                let told = parsed(changed)
                #expect(told?.end == get.end && told?.key == get.key, "byte \(offset) as \(value)")
            }
        }
    }
}
