/// Decimal numbers from and to bytes.
@usableFromInline
package enum Decimal {
    /// The number that the whole of `text` says; nil for anything else and beyond `Int`.
    package static func parse(_ text: RawSpan) -> Int? {
        let negative = text.byteCount > 0 && text.byte(at: 0) == ASCII.minus
        let first = negative ? 1 : 0
        guard first < text.byteCount else { return nil }
        let hasLeadingZero = text.byte(at: first) == ASCII.zero
        if hasLeadingZero { return text.byteCount == 1 ? 0 : nil }
        var value = 0
        for offset in first..<text.byteCount {
            let digit = text.byte(at: offset) &- ASCII.zero
            guard digit < 10 else { return nil }
            // Downwards when negative, since Int.min has no positive counterpart.
            let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) =
                negative
                ? tens.subtractingReportingOverflow(Int(digit)) : tens.addingReportingOverflow(Int(digit))
            if overflow || carry { return nil }
            value = sum
        }
        return value
    }

    /// The number of digits of `value`.
    @inlinable @inline(__always)
    static func digitCount(_ value: UInt) -> Int {
        var count = 1
        var rest = value
        while rest >= 10 {
            rest /= 10
            count += 1
        }
        return count
    }

    /// Writes the digits of `value` so that the last one stands in front of `end`.
    /// - Precondition: `digitCount(value)` bytes before `end` are the caller's to write.
    @inlinable @inline(__always)
    static func write(_ value: UInt, before end: UnsafeMutableRawPointer) {
        var rest = value
        var cursor = end
        repeat {
            cursor -= 1
            let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
            cursor.storeBytes(of: UInt8(truncatingIfNeeded: digit) &+ 0x30, as: UInt8.self)
            rest = quotient
        } while rest > 0
    }
}
