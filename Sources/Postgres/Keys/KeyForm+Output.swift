extension KeyForm {
    /// Adds to `texts` the form of what PostgreSQL prints for a value in a session with `DateStyle = ISO`, `TimeZone = UTC` and
    /// `extra_float_digits = 1`, as pgoutput has it. False when that can't be told, and then the change concerns the whole group.
    /// O(its length).
    public func append(output: RawSpan, to texts: inout [UInt8]) -> Bool {
        let text: [UInt8]?
        switch self {
        case .integer, .oid, .transaction, .boolean, .uuid, .text, .name, .date, .time, .timeWithZone, .timestamp,
            .timestampWithZone, .hardwareAddress, .bits, .tid, .logPosition:
            output.withUnsafeBytes { texts.append(contentsOf: $0) }
            return true
        case .address: text = Self.withoutOwnMask(Self.array(output))
        case .bytes: text = Self.inHexadecimal(Self.array(output))
        case .blankPadded: text = Self.withoutBlanks(Self.array(output))
        case .caseless(let lowersI): text = Self.lowered(Self.array(output), lowersI: lowersI)
        case .numeric: text = Self.withoutZeros(Self.array(output))
        case .float: text = Self.withoutSignOfZero(Self.array(output))
        }
        guard let text else { return false }
        texts += text
        return true
    }

    private static func array(_ output: RawSpan) -> [UInt8] { output.withUnsafeBytes { Array($0) } }

    private static func inHexadecimal(_ text: [UInt8]) -> [UInt8]? {
        text.starts(with: [UInt8(ascii: "\\"), UInt8(ascii: "x")]) ? text : nil
    }

    private static func withoutSignOfZero(_ text: [UInt8]) -> [UInt8] {
        text == Array("-0".utf8) ? Array("0".utf8) : text
    }

    /// A `cidr` always has a mask.
    private static func withoutOwnMask(_ text: [UInt8]) -> [UInt8] {
        let mask = Array((text.contains(UInt8(ascii: ":")) ? "/128" : "/32").utf8)
        return text.suffix(mask.count).elementsEqual(mask) ? Array(text.dropLast(mask.count)) : text
    }

    static func withoutBlanks(_ text: [UInt8]) -> [UInt8] {
        let end = text.lastIndex { $0 != UInt8(ascii: " ") }.map { $0 + 1 } ?? 0
        return Array(text[..<end])
    }

    /// Only the database knows what its collation makes of letters beyond ASCII.
    static func lowered(_ text: [UInt8], lowersI: Bool) -> [UInt8]? {
        guard text.allSatisfy({ $0 < 0x80 && (lowersI || $0 != UInt8(ascii: "I")) }) else { return nil }
        return text.map { $0 >= UInt8(ascii: "A") && $0 <= UInt8(ascii: "Z") ? $0 | 0x20 : $0 }
    }

    /// A number without the zeros, and the point, at its end.
    static func withoutZeros(_ text: [UInt8]) -> [UInt8] {
        guard text.contains(UInt8(ascii: ".")) else { return text }
        var end = text.count
        while end > 0, text[end - 1] == UInt8(ascii: "0") { end -= 1 }
        if end > 0, text[end - 1] == UInt8(ascii: ".") { end -= 1 }
        return Array(text[..<end])
    }
}
