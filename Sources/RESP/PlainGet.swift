/// A `GET key` in the one form that every client library sends it: an array of two bulk strings.
///
/// Most of what a cache is asked looks like this, so it is recognised by comparing two words. Whatever looks different, or
/// is not whole, is for the ``RequestParser``, which says the same of a plain GET, only later.
public struct PlainGet: BitwiseCopyable, Sendable {
    /// Where the key begins.
    public let keyStart: Int
    /// The key's length.
    public let keyLength: Int
    /// Where the next request begins.
    public let end: Int

    /// Recognises the request at `start`; nil when it is not a whole plain GET.
    @inlinable
    public init?(_ bytes: RawSpan, at start: Int) {
        // The shortest is `*2\r\n$3\r\nGET\r\n$0\r\n\r\n`, 19 bytes; nothing up to there is looked at before it is known
        // to be within the bounds.
        let count = bytes.byteCount
        guard start >= 0, count - start >= 19 else { return nil }
        let head = UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: start, as: UInt64.self))
        let word = UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: start + 8, as: UInt64.self))
        guard head == Self.head, word & Self.wordMask == Self.word else { return nil }
        var offset = start + 14
        var length = 0
        let firstDigit = offset
        while offset < count {
            let digit = bytes.byte(at: offset) &- ASCII.zero
            guard digit < 10 else { break }
            // As the parser: no more digits than any limit allows, and no leading zero.
            guard offset - firstDigit < 9, length > 0 || offset == firstDigit else { return nil }
            length = length * 10 + Int(digit)
            offset += 1
        }
        guard offset > firstDigit, count - offset >= length + 4, Self.isLineEnd(bytes, at: offset),
            Self.isLineEnd(bytes, at: offset + 2 + length)
        else { return nil }
        keyStart = offset + 2
        keyLength = length
        end = offset + 4 + length
    }

    /// `*2\r\n$3\r\n`
    @usableFromInline static let head: UInt64 = 0x0a0d_3324_0a0d_322a
    /// `GET\r\n$`, whatever the case of the letters.
    @usableFromInline static let word: UInt64 = 0x0000_240a_0d54_4547
    @usableFromInline static let wordMask: UInt64 = 0x0000_ffff_ffdf_dfdf

    /// Both bytes are within the bounds.
    @inlinable @inline(__always)
    static func isLineEnd(_ bytes: RawSpan, at offset: Int) -> Bool {
        bytes.byte(at: offset) == 0x0d && bytes.byte(at: offset + 1) == 0x0a
    }
}
