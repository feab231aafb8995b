/// The replies. Those that RESP2 lacks take the client's version, and are put into RESP2's terms for it.
extension OutputBuffer {
    /// Appends a simple string: `+OK`. The text has neither CR nor LF.
    public mutating func appendSimpleString(_ text: StaticString) {
        appendByte(UInt8(ascii: "+"))
        text.withUTF8Buffer { append($0.span.bytes) }
        appendLineEnd()
    }

    /// Appends a simple string of any text; CR and LF inside become spaces.
    public mutating func appendStatus(_ text: String) {
        appendLine(UInt8(ascii: "+"), text)
    }

    /// Appends an error: `-` and `text`, which begins with its code (`ERR ...`). CR and LF inside become spaces, so that
    /// no text that came from elsewhere can begin a reply of its own.
    public mutating func appendError(_ text: String) {
        appendLine(UInt8(ascii: "-"), text)
    }

    /// Appends the error of a malformed request; the connection is to be closed behind it.
    public mutating func appendError(_ error: ProtocolError) {
        appendError("ERR Protocol error: " + error.message)
    }

    /// Appends an integer.
    public mutating func appendInteger(_ value: Int) {
        appendByte(UInt8(ascii: ":"))
        appendDecimal(value)
        appendLineEnd()
    }

    /// Appends a bulk string of the UTF-8 of `text`.
    public mutating func appendBulk(_ text: String) {
        var text = text
        text.withUTF8 { appendBulk($0.span.bytes) }
    }

    /// Appends a bulk string of a number's digits, as Redis tells numbers inside arrays of strings.
    public mutating func appendBulk(decimal value: Int) {
        let digits = Decimal.digitCount(value.magnitude) + (value < 0 ? 1 : 0)
        appendHeader(UInt8(ascii: "$"), UInt(bitPattern: digits))
        appendDecimal(value)
        appendLineEnd()
    }

    /// Appends the absence of a value: RESP2's null bulk string, RESP3's null.
    public mutating func appendNull(_ version: ProtocolVersion) {
        switch version {
        case .resp2: append("$-1\r\n")
        case .resp3: append("_\r\n")
        }
    }

    /// Appends the absence of an array: RESP2's null array, RESP3's null.
    public mutating func appendNullArray(_ version: ProtocolVersion) {
        switch version {
        case .resp2: append("*-1\r\n")
        case .resp3: append("_\r\n")
        }
    }

    /// Appends the header of an array; `count` replies follow.
    public mutating func appendArrayHeader(_ count: Int) {
        appendHeader(UInt8(ascii: "*"), UInt(bitPattern: count))
    }

    /// Appends the header of a map of `count` pairs; twice as many replies follow. In RESP2 an array of them all.
    public mutating func appendMapHeader(_ count: Int, _ version: ProtocolVersion) {
        switch version {
        case .resp2: appendHeader(UInt8(ascii: "*"), UInt(bitPattern: count * 2))
        case .resp3: appendHeader(UInt8(ascii: "%"), UInt(bitPattern: count))
        }
    }

    /// Appends the header of a set; `count` replies follow. In RESP2 an array.
    public mutating func appendSetHeader(_ count: Int, _ version: ProtocolVersion) {
        switch version {
        case .resp2: appendHeader(UInt8(ascii: "*"), UInt(bitPattern: count))
        case .resp3: appendHeader(UInt8(ascii: "~"), UInt(bitPattern: count))
        }
    }

    /// Appends the header of a push, something the client didn't ask for; `count` replies follow. In RESP2 an array, which
    /// only a client that subscribed can tell from a reply.
    public mutating func appendPushHeader(_ count: Int, _ version: ProtocolVersion) {
        switch version {
        case .resp2: appendHeader(UInt8(ascii: "*"), UInt(bitPattern: count))
        case .resp3: appendHeader(UInt8(ascii: ">"), UInt(bitPattern: count))
        }
    }

    /// Appends text that is meant to be read by people (`INFO`); in RESP2 a bulk string.
    public mutating func appendVerbatim(_ text: String, _ version: ProtocolVersion) {
        switch version {
        case .resp2: appendBulk(text)
        case .resp3:
            var text = text
            text.withUTF8 { source in
                appendHeader(UInt8(ascii: "="), UInt(bitPattern: source.count + 4))
                append("txt:")
                append(source.span.bytes)
                appendLineEnd()
            }
        }
    }

    private mutating func appendLine(_ type: UInt8, _ text: String) {
        appendByte(type)
        var text = text
        text.withUTF8 { source in
            let destination = reserve(source.count)
            for (offset, byte) in source.enumerated() {
                let isLineEnd = byte == ASCII.carriageReturn || byte == ASCII.lineFeed
                destination.storeBytes(of: isLineEnd ? ASCII.space : byte, toByteOffset: offset, as: UInt8.self)
            }
            end += source.count
        }
        appendLineEnd()
    }

    private mutating func append(_ text: StaticString) {
        text.withUTF8Buffer { append($0.span.bytes) }
    }

    private mutating func append(_ text: String) {
        var text = text
        text.withUTF8 { append($0.span.bytes) }
    }

    private mutating func appendByte(_ byte: UInt8) {
        reserve(1).storeBytes(of: byte, as: UInt8.self)
        end += 1
    }

    private mutating func appendDecimal(_ value: Int) {
        if value < 0 { appendByte(ASCII.minus) }
        let digits = Decimal.digitCount(value.magnitude)
        Decimal.write(value.magnitude, before: reserve(digits) + digits)
        end += digits
    }
}
