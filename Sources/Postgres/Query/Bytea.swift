/// Reads the text of a `bytea`, in either form that `bytea_output` gives it (PostgreSQL's documentation, section 8.4).
enum Bytea {
    private static let backslash = UInt8(ascii: "\\")

    /// The bytes; nil when the text is no bytea's.
    static func bytes(of text: RawSpan) -> [UInt8]? {
        text.withUnsafeBytes { text in
            // In the other form a backslash that comes first is doubled.
            let isHex = text.count >= 2 && text[0] == backslash && text[1] == UInt8(ascii: "x")
            return isHex ? bytes(ofHex: text) : bytes(ofEscaped: text)
        }
    }

    private static func bytes(ofHex text: UnsafeRawBufferPointer) -> [UInt8]? {
        guard text.count % 2 == 0 else { return nil }
        let byteCount = text.count / 2 - 1
        // All empty arrays are one object, into which the initializer below would write a length, from any thread.
        guard byteCount > 0 else { return [] }
        var isValid = true
        let bytes = [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
            for offset in stride(from: 2, to: text.count, by: 2) {
                let high = digit(text[offset])
                let low = digit(text[offset + 1])
                // What is no digit is 0xff.
                isValid = isValid && high | low < 16
                buffer.initializeElement(at: count, to: high << 4 | low)
                count += 1
            }
        }
        return isValid ? bytes : nil
    }

    private static func digit(_ byte: UInt8) -> UInt8 {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        default: 0xff
        }
    }

    /// A backslash is doubled, and bytes that don't print are a backslash and three octal digits.
    private static func bytes(ofEscaped text: UnsafeRawBufferPointer) -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count)
        var offset = 0
        while offset < text.count {
            guard text[offset] == backslash else {
                bytes.append(text[offset])
                offset += 1
                continue
            }
            if offset + 1 < text.count, text[offset + 1] == backslash {
                bytes.append(backslash)
                offset += 2
                continue
            }
            guard offset + 3 < text.count else { return nil }
            var value = 0
            for index in 1...3 {
                let digit = Int(text[offset + index]) - Int(UInt8(ascii: "0"))
                guard digit >= 0, digit < 8 else { return nil }
                value = value * 8 + digit
            }
            guard let byte = UInt8(exactly: value) else { return nil }
            bytes.append(byte)
            offset += 4
        }
        return bytes
    }
}
