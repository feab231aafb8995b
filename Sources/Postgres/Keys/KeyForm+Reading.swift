extension KeyForm {
    /// Whether `text`, as a parameter of this type, is its value's own text already: the one that ``expression(of:)`` gives.
    ///
    /// False also for what is no value of the type, and for texts of which only the server knows. True for a number that is
    /// beyond the type's range: the server refuses it. O(its length); calls nothing but itself.
    func isOwn(_ text: UnsafeRawBufferPointer) -> Bool {
        switch self {
        case .integer: Digits.isInteger(text)
        case .oid: Digits.isCount(text, limit: 0xffff_ffff)
        // Beyond their range these are not refused but cut.
        case .transaction(let bytes): Digits.isCount(text, limit: bytes == 8 ? UInt64(Int64.max) : 0xffff_ffff)
        case .boolean: text.count == 1 && (text[0] == UInt8(ascii: "t") || text[0] == UInt8(ascii: "f"))
        case .uuid: Self.isUUID(text)
        case .text: true
        case .name: text.count < 64
        case .blankPadded: text.last != UInt8(ascii: " ")
        case .caseless:
            text.allSatisfy { $0 < 0x80 && !($0 >= UInt8(ascii: "A") && $0 <= UInt8(ascii: "Z")) }
        case .bytes: Self.isHexadecimal(text)
        case .numeric:
            Digits.isDecimal(text, digits: 1000) || Self.numericWords.contains { text.elementsEqual($0.utf8) }
        case .float(let bytes):
            Digits.isShortFloat(text, bytes: bytes) || Self.numericWords.contains { text.elementsEqual($0.utf8) }
        case .date: Clock.isDate(text) || Clock.isInfinite(text)
        case .time: Clock.isTime(text)
        case .timeWithZone: Clock.isTimeWithZone(text)
        case .timestamp: Clock.isTimestamp(text) || Clock.isInfinite(text)
        case .timestampWithZone: Clock.isTimestampInUTC(text) || Clock.isInfinite(text)
        case .address: Address.isOwn(text)
        case .hardwareAddress(let bytes): Self.isHardwareAddress(text, bytes: bytes)
        case .bits: text.allSatisfy { $0 == UInt8(ascii: "0") || $0 == UInt8(ascii: "1") }
        case .tid: Self.isTID(text)
        case .logPosition: Self.isLogPosition(text)
        }
    }

    /// The value's own text when `text` is another one and that is plain; nil when only the server knows.
    func rewritten(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
        switch self {
        case .integer: Digits.integer(Self.trimmed(text), octal: false)
        case .oid: Digits.integer(Self.trimmed(text), octal: true).flatMap { $0.first == UInt8(ascii: "-") ? nil : $0 }
        case .boolean: Self.boolean(Self.trimmed(text))
        case .uuid: Self.uuid(text)
        case .blankPadded: Self.withoutBlanks(Array(text))
        case .caseless(let lowersI): Self.lowered(Array(text), lowersI: lowersI)
        case .bytes: Self.hexadecimal(text)
        case .numeric: Digits.decimal(Self.trimmed(text), digits: 1000)
        case .float: text.elementsEqual("-0".utf8) ? Array("0".utf8) : nil
        case .transaction, .text, .name, .date, .time, .timeWithZone, .timestamp, .timestampWithZone, .address,
            .hardwareAddress, .bits, .tid, .logPosition:
            nil
        }
    }

    private static let numericWords = ["NaN", "Infinity", "-Infinity"]

    /// Without the white space of C's `isspace` at both ends.
    private static func trimmed(_ text: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte >= 0x09 && byte <= 0x0d }
        guard let first = text.firstIndex(where: { !isSpace($0) }), let last = text.lastIndex(where: { !isSpace($0) })
        else { return UnsafeRawBufferPointer(rebasing: text[..<0]) }
        return UnsafeRawBufferPointer(rebasing: text[first...last])
    }

    /// A prefix that only one of the words has, in upper or lower case.
    private static func boolean(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
        let word = String(decoding: text, as: UTF8.self).lowercased()
        switch word {
        case "t", "tr", "tru", "true", "y", "ye", "yes", "on", "1": return [UInt8(ascii: "t")]
        case "f", "fa", "fal", "fals", "false", "n", "no", "of", "off", "0": return [UInt8(ascii: "f")]
        default: return nil
        }
    }

    // MARK: Hexadecimal digits

    private static func isLowerHex(_ byte: UInt8) -> Bool {
        byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") || byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "f")
    }

    private static func lowerHex(_ byte: UInt8) -> UInt8? {
        if isLowerHex(byte) { return byte }
        return byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "F") ? byte | 0x20 : nil
    }

    private static func isUUID(_ text: UnsafeRawBufferPointer) -> Bool {
        guard text.count == 36 else { return false }
        for (index, byte) in text.enumerated() {
            let isDash = index == 8 || index == 13 || index == 18 || index == 23
            guard isDash ? byte == UInt8(ascii: "-") : isLowerHex(byte) else { return false }
        }
        return true
    }

    /// 32 digits, in braces or not; behind every fourth there may be a dash (`uuid_in`).
    private static func uuid(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
        var rest = text[...]
        if rest.first == UInt8(ascii: "{") {
            guard rest.last == UInt8(ascii: "}") else { return nil }
            rest = rest.dropFirst().dropLast()
        }
        var uuid: [UInt8] = []
        var digits = 0
        var mayDash = false
        for byte in rest {
            if byte == UInt8(ascii: "-") {
                guard mayDash else { return nil }
                mayDash = false
                continue
            }
            guard digits < 32, let digit = lowerHex(byte) else { return nil }
            if digits == 8 || digits == 12 || digits == 16 || digits == 20 { uuid.append(UInt8(ascii: "-")) }
            uuid.append(digit)
            digits += 1
            mayDash = digits % 4 == 0 && digits < 32
        }
        return digits == 32 ? uuid : nil
    }

    private static let hexadecimalMark = Array(#"\x"#.utf8)

    private static func isHexadecimal(_ text: UnsafeRawBufferPointer) -> Bool {
        text.count % 2 == 0 && text.starts(with: hexadecimalMark) && text.dropFirst(2).allSatisfy(isLowerHex)
    }

    private static func hexadecimal(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
        guard text.count % 2 == 0, text.starts(with: hexadecimalMark) else { return nil }
        var result = hexadecimalMark
        for byte in text.dropFirst(2) {
            guard let digit = lowerHex(byte) else { return nil }
            result.append(digit)
        }
        return result
    }

    private static func isHardwareAddress(_ text: UnsafeRawBufferPointer, bytes: Int) -> Bool {
        guard text.count == bytes * 3 - 1 else { return false }
        for (index, byte) in text.enumerated() {
            guard index % 3 == 2 ? byte == UInt8(ascii: ":") : isLowerHex(byte) else { return false }
        }
        return true
    }

    /// `16/B374D848`. Whether zeros are in front of the second number depends on the server's version, so it has all digits.
    private static func isLogPosition(_ text: UnsafeRawBufferPointer) -> Bool {
        func isUpperHex(_ byte: UInt8) -> Bool {
            byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
                || byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "F")
        }
        guard let slash = text.firstIndex(of: UInt8(ascii: "/")), slash >= 1, slash <= 8, text.count == slash + 9 else {
            return false
        }
        return (slash == 1 || text[0] != UInt8(ascii: "0")) && text[slash + 1] != UInt8(ascii: "0")
            && text[..<slash].allSatisfy(isUpperHex) && text[(slash + 1)...].allSatisfy(isUpperHex)
    }

    /// `(0,1)`: a block and an index in it.
    private static func isTID(_ text: UnsafeRawBufferPointer) -> Bool {
        guard text.first == UInt8(ascii: "("), text.last == UInt8(ascii: ")"),
            let comma = text.firstIndex(of: UInt8(ascii: ","))
        else { return false }
        return Digits.isCount(UnsafeRawBufferPointer(rebasing: text[1..<comma]), limit: 0xffff_ffff)
            && Digits.isCount(UnsafeRawBufferPointer(rebasing: text[(comma + 1)...].dropLast()), limit: 0xffff)
    }
}
