/// The words of an inline request, by Redis' quoting rules (`sdssplitargs`): `"..."` knows `\xHH`, `\n`, `\r`, `\t`, `\b`,
/// `\a` and takes any other escaped byte as it is; `'...'` knows `\'` only; a closing quote ends its word.
struct InlineWords: ~Escapable {
    private let line: RawSpan
    private var offset = 0

    @_lifetime(copy line)
    init(_ line: RawSpan) {
        self.line = line
    }

    /// Appends the bytes of the next word, without its quotes. False when there is none.
    @_lifetime(self: copy self)
    mutating func appendNext(to bytes: inout [UInt8]) throws(ProtocolError) -> Bool {
        while let byte = current, Self.isSpace(byte) { offset += 1 }
        guard current != nil else { return false }
        while let byte = current, !Self.isSpace(byte) {
            offset += 1
            switch byte {
            case ASCII.doubleQuote: return try appendQuoted(by: byte, to: &bytes)
            case ASCII.singleQuote: return try appendQuoted(by: byte, to: &bytes)
            default: bytes.append(byte)
            }
        }
        return true
    }

    private var current: UInt8? {
        offset < line.byteCount ? line.byte(at: offset) : nil
    }

    @_lifetime(self: copy self)
    private mutating func appendQuoted(by quote: UInt8, to bytes: inout [UInt8]) throws(ProtocolError) -> Bool {
        while let byte = current {
            offset += 1
            if byte == quote {
                if let next = current, !Self.isSpace(next) { throw .unbalancedQuotes }
                return true
            }
            if byte == ASCII.backslash, let escaped = escaped(in: quote) {
                bytes.append(escaped)
            } else {
                bytes.append(byte)
            }
        }
        throw .unbalancedQuotes
    }

    /// The byte that the escape behind a backslash stands for; nil when the backslash stands for itself.
    @_lifetime(self: copy self)
    private mutating func escaped(in quote: UInt8) -> UInt8? {
        guard let byte = current else { return nil }
        if quote == ASCII.singleQuote {
            guard byte == ASCII.singleQuote else { return nil }
            offset += 1
            return byte
        }
        offset += 1
        switch byte {
        case UInt8(ascii: "x"):
            guard offset + 1 < line.byteCount, let high = Self.hexValue(line.byte(at: offset)),
                let low = Self.hexValue(line.byte(at: offset + 1))
            else { return byte }
            offset += 2
            return high << 4 | low
        case UInt8(ascii: "n"): return ASCII.lineFeed
        case UInt8(ascii: "r"): return ASCII.carriageReturn
        case UInt8(ascii: "t"): return ASCII.tab
        case UInt8(ascii: "b"): return 0x08
        case UInt8(ascii: "a"): return 0x07
        default: return byte
        }
    }

    /// What C's `isspace` takes as space.
    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == ASCII.space || (ASCII.tab...ASCII.carriageReturn).contains(byte)
    }

    private static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
