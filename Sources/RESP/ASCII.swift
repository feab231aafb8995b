/// The bytes that frame RESP.
@usableFromInline
package enum ASCII {
    package static let tab = UInt8(ascii: "\t")
    package static let lineFeed = UInt8(ascii: "\n")
    package static let carriageReturn = UInt8(ascii: "\r")
    package static let space = UInt8(ascii: " ")
    package static let doubleQuote = UInt8(ascii: "\"")
    package static let singleQuote = UInt8(ascii: "'")
    package static let backslash = UInt8(ascii: "\\")
    package static let minus = UInt8(ascii: "-")
    // Computed, so that each use in another module is the number and not a look at a variable.
    @inlinable package static var zero: UInt8 { UInt8(ascii: "0") }
    package static let dollar = UInt8(ascii: "$")
    package static let asterisk = UInt8(ascii: "*")
}

extension RawSpan {
    /// The byte at `offset`, bounds checked.
    @inlinable @inline(__always)
    package func byte(at offset: Int) -> UInt8 {
        // Every bit pattern is a UInt8 and one byte is always aligned: the load can't be unsafe.
        unsafeLoad(fromByteOffset: offset, as: UInt8.self)
    }
}

/// A decimal length up to its CR LF.
package enum LengthLine {
    /// The length, and the offset behind CR LF.
    case length(Int, next: Int)
    case incomplete
    case malformed

    /// More digits than this are no length that any limit allows; fewer can't overflow.
    static let digits = 10

    /// Reads the length that begins at `start`, looking at no byte from `end` on. As in Redis there is neither a `+`
    /// nor a leading zero. At most 13 bytes are looked at, so that reading again on incomplete input stays cheap.
    @inline(__always)
    package static func read(_ bytes: RawSpan, from start: Int, to end: Int) -> LengthLine {
        guard start < end else { return .incomplete }
        let negative = bytes.byte(at: start) == ASCII.minus
        let first = negative ? start + 1 : start
        var offset = first
        var length = 0
        while offset < end {
            let byte = bytes.byte(at: offset)
            let digit = byte &- ASCII.zero
            guard digit < 10 else {
                guard byte == ASCII.carriageReturn, offset > first else { return .malformed }
                guard offset + 1 < end else { return .incomplete }
                guard bytes.byte(at: offset + 1) == ASCII.lineFeed else { return .malformed }
                if negative && length == 0 { return .malformed }
                return .length(negative ? -length : length, next: offset + 2)
            }
            let isLeadingZero = length == 0 && offset > first
            if offset - first == digits || isLeadingZero { return .malformed }
            length = length * 10 + Int(digit)
            offset += 1
        }
        return .incomplete
    }
}
