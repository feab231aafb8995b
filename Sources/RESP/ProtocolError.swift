/// What is wrong with a request's framing. After one the connection has to be closed, since nobody knows where the next
/// request would begin.
public enum ProtocolError: Error, Sendable, Equatable {
    /// The number of arguments is no number, or above `RequestLimits.arguments`.
    case invalidMultibulkLength
    /// An argument's length is no number, negative, or above `RequestLimits.requestBytes`.
    case invalidBulkLength
    /// An argument doesn't begin with `$`; the byte that stood there.
    case expectedBulk(got: UInt8)
    /// An argument isn't followed by CR LF where its length says it ends.
    case missingLineEnd
    /// The request is larger than `RequestLimits.requestBytes`.
    case requestTooBig
    /// The line of an inline request is longer than `RequestLimits.inlineBytes`.
    case inlineTooBig
    /// A quote of an inline request isn't closed, or closed inside a word.
    case unbalancedQuotes
    /// An inline request begins with `POST` or `Host:`: a browser was made to talk to this socket. Redis closes without
    /// a reply, so that a page learns nothing.
    case crossProtocol

    /// The text after `ERR Protocol error: `, with Redis' words where Redis has them. It never contains CR, LF or a byte
    /// that isn't printable ASCII.
    public var message: String {
        switch self {
        case .invalidMultibulkLength: "invalid multibulk length"
        case .invalidBulkLength: "invalid bulk length"
        case .expectedBulk(let byte): "expected '$', got '\(Self.printable(byte))'"
        case .missingLineEnd: "expected CRLF after an argument"
        case .requestTooBig: "too big request"
        case .inlineTooBig: "too big inline request"
        case .unbalancedQuotes: "unbalanced quotes in request"
        case .crossProtocol: "possible cross-protocol attack"
        }
    }

    private static func printable(_ byte: UInt8) -> String {
        if (0x20..<0x7f).contains(byte) { return String(UnicodeScalar(byte)) }
        let hex = String(byte, radix: 16)
        return "\\x" + (hex.count < 2 ? "0" + hex : hex)
    }
}

/// The version of the protocol that a client chose with `HELLO`; every connection begins with RESP2.
public enum ProtocolVersion: Sendable, Equatable {
    /// RESP2: no maps, sets, booleans or pushes; they are told as arrays, integers and bulk strings.
    case resp2
    /// RESP3.
    case resp3
}
