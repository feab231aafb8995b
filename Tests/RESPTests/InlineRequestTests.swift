import RESP
import Testing

struct InlineRequestTests {
    @Test(arguments: [
        ("PING", ["PING"]),
        ("  GET\t account:1  ", ["GET", "account:1"]),
        ("ECHO \"\"", ["ECHO", ""]),
        ("ECHO ''", ["ECHO", ""]),
        (#"ECHO "a b""#, ["ECHO", "a b"]),
        (#"ECHO "a\"b\\c""#, ["ECHO", #"a"b\c"#]),
        (#"ECHO "\x41\x7a\n\r\t\b\a\q""#, ["ECHO", "Az\n\r\t\u{8}\u{7}q"]),
        (#"ECHO "\xg1\x4""#, ["ECHO", "xg1x4"]),
        (#"ECHO 'a\'b\n"c'"#, ["ECHO", #"a'b\n"c"#]),
        (#"ECHO pre"fix ed""#, ["ECHO", "prefix ed"]),
        (#"ECHO back\slash"#, ["ECHO", #"back\slash"#]),
        (#""get" 'key'"#, ["get", "key"]),
        ("ECHO \u{e9}", ["ECHO", "\u{e9}"]),
    ])
    func `a line is split into words by Redis' quoting rules`(line: String, expected: [String]) {
        for end in ["\r\n", "\n"] {
            #expect(hearRequests(line + end).messages == [expected.map { Array($0.utf8) }])
        }
    }

    @Test(arguments: [
        "ECHO \"", "ECHO '", "ECHO \"a", "ECHO \"a\"b\"", "ECHO 'a'b", "ECHO \"a\\\"", "ECHO 'a\\'", "ECHO \"\"\"\"",
    ])
    func `quotes that do not balance are a protocol error`(line: String) {
        #expect(hearRequests(line + "\r\n").failure == .unbalancedQuotes)
    }

    @Test(arguments: ["POST / HTTP/1.1", "post /", "Host: localhost", "HOST: x", #""POST" x"#])
    func `what a browser sends is told apart`(line: String) {
        #expect(hearRequests(line + "\r\n").failure == .crossProtocol)
    }

    @Test func `an HTTP GET ends at its Host header`() {
        let heard = hearRequests("GET / HTTP/1.1\r\nHost: localhost\r\nPING\r\n")
        #expect(heard.messages == [words("GET", "/", "HTTP/1.1")])
        #expect(heard.failure == .crossProtocol)
    }
}
