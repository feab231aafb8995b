/// A command's or subcommand's name for fast lookup: up to 15 bytes, lower-cased, in 16 bytes with their number.
///
/// Two names are the same word when they differ only in the case of ASCII letters. A longer name is a word that no name of
/// a table can be.
public struct CommandWord: Hashable, Sendable, ExpressibleByStringLiteral {
    @usableFromInline let low: UInt64
    /// Its last byte is the number of bytes, or `overlong`: with it a name and the same name followed by NUL differ.
    @usableFromInline let high: UInt64

    /// The most bytes a name can have.
    public static let capacity = 15
    @usableFromInline static let overlong: UInt64 = 0xff

    /// The word of a command's name as it came from a client.
    @inlinable
    public init(_ name: RawSpan) {
        let count = name.byteCount
        guard count <= Self.capacity else {
            low = 0
            high = Self.overlong << 56
            return
        }
        low = Self.lowercased(Self.packed(name, from: 0, count: min(count, 8)))
        let rest = count > 8 ? Self.lowercased(Self.packed(name, from: 8, count: count - 8)) : 0
        high = rest | UInt64(truncatingIfNeeded: count) << 56
    }

    /// The word of a name in a table, in any case. The name has at most 15 bytes.
    public init(stringLiteral name: StaticString) {
        self = name.withUTF8Buffer { CommandWord($0.span.bytes) }
        precondition(high >> 56 != Self.overlong, "a command word has at most \(Self.capacity) bytes")
    }

    @inlinable @inline(__always)
    static func packed(_ name: RawSpan, from start: Int, count: Int) -> UInt64 {
        var word: UInt64 = 0
        for offset in 0..<count {
            word |= UInt64(name.byte(at: start + offset)) << UInt64(truncatingIfNeeded: offset * 8)
        }
        return word
    }

    /// Lower-cases the eight ASCII bytes of a word at once; other bytes stay.
    ///
    /// With the top bits off, adding to every byte at once carries into no neighbour: a byte's top bit tells whether it
    /// reached `A`, or passed `Z`. Where exactly one holds, and the byte is ASCII, bit 0x20 makes it lower-case.
    @inlinable @inline(__always)
    static func lowercased(_ word: UInt64) -> UInt64 {
        let every: UInt64 = 0x0101_0101_0101_0101
        let top = every * 0x80
        let sevenBits = word & ~top
        let reachesA = sevenBits &+ every * (0x80 - 0x41)
        let passesZ = sevenBits &+ every * (0x80 - 0x5b)
        let isUpper = (reachesA ^ passesZ) & ~word & top
        return word | isUpper >> 2
    }
}
