/// Numbers as PostgreSQL writes them, told from all other texts that its input takes for numbers.
enum Digits {
    private static let zero = UInt8(ascii: "0")
    private static let minus = UInt8(ascii: "-")
    private static let point = UInt8(ascii: ".")

    @inline(__always)
    private static func isDigit(_ byte: UInt8) -> Bool { byte &- zero < 10 }

    /// `0`, or digits that begin with no zero, with or without a minus.
    @inline(__always)
    static func isInteger(_ text: UnsafeRawBufferPointer) -> Bool {
        var index = 0
        if text.first == minus { index = 1 }
        guard index < text.count else { return false }
        if text[index] == zero { return text.count == 1 }
        while index < text.count {
            guard isDigit(text[index]) else { return false }
            index += 1
        }
        return true
    }

    /// The same without a minus, and not above `limit`.
    static func isCount(_ text: UnsafeRawBufferPointer, limit: UInt64) -> Bool {
        guard text.count < 20, text.first != minus, isInteger(text) else { return false }
        return text.reduce(UInt64(0)) { $0 * 10 + UInt64($1 - zero) } <= limit
    }

    /// The number's own text, of digits with a sign or none; nil for anything else. From PostgreSQL 16 on a zero before
    /// anything but a digit stands for another base, and in an `oid` a zero before digits, too (`octal`).
    static func integer(_ text: UnsafeRawBufferPointer, octal: Bool) -> [UInt8]? {
        var digits = text[...]
        var isNegative = false
        if let sign = digits.first, sign == minus || sign == UInt8(ascii: "+") {
            isNegative = sign == minus
            digits = digits.dropFirst()
        }
        guard !digits.isEmpty, digits.allSatisfy(isDigit) else { return nil }
        if octal, digits.count > 1, digits.first == zero { return nil }
        digits = digits.drop { $0 == zero }
        if digits.isEmpty { return [zero] }
        return (isNegative ? [minus] : []) + digits
    }

    /// A decimal number of so many digits at most, without zeros that could be left out.
    static func isDecimal(_ text: UnsafeRawBufferPointer, digits limit: Int) -> Bool {
        guard text.count <= limit, !text.isEmpty else { return false }
        let end = text.firstIndex(of: point) ?? text.count
        let whole = UnsafeRawBufferPointer(rebasing: text[..<end])
        if end == text.count { return isInteger(whole) }
        // -0.5 has a zero that only a fraction makes right.
        let isWhole = isInteger(whole) || whole.elementsEqual("-0".utf8)
        let fraction = text[(end + 1)...]
        return isWhole && fraction.allSatisfy(isDigit) && fraction.last ?? zero != zero
    }

    /// The number's own text, of digits with a point and a sign or none; nil for anything else.
    static func decimal(_ text: UnsafeRawBufferPointer, digits limit: Int) -> [UInt8]? {
        guard text.count <= limit else { return nil }
        let end = text.firstIndex(of: point) ?? text.count
        let fraction = text[min(end + 1, text.count)...]
        guard fraction.allSatisfy(isDigit) else { return nil }
        var whole = Array(text[..<end])
        let hasDigit = whole.last.map(isDigit) ?? false
        guard hasDigit || !fraction.isEmpty else { return nil }
        if !hasDigit { whole.append(zero) }
        guard var number = whole.withUnsafeBytes({ integer($0, octal: false) }) else { return nil }
        guard let last = fraction.lastIndex(where: { $0 != zero }) else { return number }
        if whole.first == minus, number.first != minus { number.insert(minus, at: 0) }
        return number + [point] + fraction[...last]
    }

    /// A number whose digits are so few that no other number of as few is nearer to the same float: C's `FLT_DIG` and
    /// `DBL_DIG`; and of a size that is written without an exponent.
    static func isShortFloat(_ text: UnsafeRawBufferPointer, bytes: Int) -> Bool {
        let limit = bytes == 4 ? 6 : 15
        guard isDecimal(text, digits: limit + 8) else { return false }
        let digits = text.first == minus ? text.dropFirst() : text[...]
        let whole = digits.prefix { $0 != point }
        if whole.first != zero { return digits.count(where: isDigit) <= limit && whole.count <= limit }
        let fraction = digits.dropFirst(2)
        let zeros = fraction.prefix { $0 == zero }.count
        return zeros < 4 && fraction.count - zeros <= limit
    }
}
