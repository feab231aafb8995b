/// Dates and times as PostgreSQL writes them under `DateStyle = ISO`, told from all other texts that its input takes for them.
///
/// Years have four digits, of our era: longer and earlier ones are not recognised. A day that a month does not have is, and the
/// server refuses it.
enum Clock {
    /// `2024-02-29`.
    static func isDate(_ text: UnsafeRawBufferPointer) -> Bool {
        has(text, "0000-00-00") && number(text, 0, 4) > 0 && 1...12 ~= number(text, 5, 2)
            && 1...31 ~= number(text, 8, 2)
    }

    static func isInfinite(_ text: UnsafeRawBufferPointer) -> Bool {
        text.elementsEqual("infinity".utf8) || text.elementsEqual("-infinity".utf8)
    }

    /// `04:05:06`, `04:05:06.5`.
    static func isTime(_ text: UnsafeRawBufferPointer) -> Bool {
        guard text.count >= 8, has(part(text, 0, 8), "00:00:00"), number(text, 0, 2) < 24, number(text, 3, 2) < 60,
            number(text, 6, 2) < 60
        else { return false }
        if text.count == 8 { return true }
        let fraction = text[9...]
        return text[8] == UInt8(ascii: ".") && 1...6 ~= fraction.count && fraction.allSatisfy(isDigit)
            && fraction.last != UInt8(ascii: "0")
    }

    /// `04:05:06+02`, `04:05:06-03:30`.
    static func isTimeWithZone(_ text: UnsafeRawBufferPointer) -> Bool {
        guard let sign = text.lastIndex(where: { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "-") }), sign > 0 else {
            return false
        }
        let zone = part(text, sign + 1, text.count - sign - 1)
        let isZone =
            has(zone, "00") && (text[sign] == UInt8(ascii: "+") || number(zone, 0, 2) > 0)
            || has(zone, "00:00") && 1..<60 ~= number(zone, 3, 2)
        return isZone && number(zone, 0, 2) < 15 && isTime(part(text, 0, sign))
    }

    /// `2024-02-29 04:05:06`.
    static func isTimestamp(_ text: UnsafeRawBufferPointer) -> Bool {
        text.count >= 19 && text[10] == UInt8(ascii: " ") && isDate(part(text, 0, 10))
            && isTime(part(text, 11, text.count - 11))
    }

    /// `2024-02-29 04:05:06+00`.
    static func isTimestampInUTC(_ text: UnsafeRawBufferPointer) -> Bool {
        text.count >= 22 && text[text.count - 3] == UInt8(ascii: "+") && number(text, text.count - 2, 2) == 0
            && isTimestamp(part(text, 0, text.count - 3))
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }

    /// Whether `text` has a digit wherever the pattern has a zero, and is the same elsewhere.
    private static func has(_ text: UnsafeRawBufferPointer, _ pattern: String) -> Bool {
        text.count == pattern.utf8.count
            && zip(text, pattern.utf8).allSatisfy { $1 == UInt8(ascii: "0") ? isDigit($0) : $0 == $1 }
    }

    private static func part(_ text: UnsafeRawBufferPointer, _ start: Int, _ count: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: text[start..<start + count])
    }

    /// The number that `count` digits make; -1 when they are none.
    private static func number(_ text: UnsafeRawBufferPointer, _ start: Int, _ count: Int) -> Int {
        var number = 0
        for byte in text[start..<start + count] {
            guard isDigit(byte) else { return -1 }
            number = number * 10 + Int(byte - UInt8(ascii: "0"))
        }
        return number
    }
}
