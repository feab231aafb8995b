/// A hash of bytes under a secret key: whoever may choose the bytes can't choose what collides.
///
/// SipHash-1-3: J.-P. Aumasson, D. J. Bernstein, "SipHash: a fast short-input PRF", INDOCRYPT 2012. The standard library's `Hasher`
/// computes the same, and takes twice the instructions for a short key, in functions far apart: it is a good part of a hit.
struct SipHash: Sendable {
    private let k0: UInt64
    private let k1: UInt64

    init(k0: UInt64, k1: UInt64) {
        self.k0 = k0
        self.k1 = k1
    }

    /// One of a key that nobody knows, another in each process.
    static func random() -> SipHash {
        var generator = SystemRandomNumberGenerator()
        return SipHash(k0: generator.next(), k1: generator.next())
    }

    /// The hash of `bytes`. O(length).
    @inline(__always)
    func hash(_ bytes: RawSpan) -> UInt64 {
        var state = State(
            v0: k0 ^ 0x736f_6d65_7073_6575, v1: k1 ^ 0x646f_7261_6e64_6f6d, v2: k0 ^ 0x6c79_6765_6e65_7261,
            v3: k1 ^ 0x7465_6462_7974_6573)
        let count = bytes.byteCount
        var offset = 0
        while offset + 8 <= count {
            state.take(Self.load(UInt64.self, bytes, offset))
            offset += 8
        }
        // The last bytes, and above them the length's lowest byte.
        var last = UInt64(truncatingIfNeeded: count) << 56
        var shift: UInt64 = 0
        if count & 4 != 0 {
            last |= UInt64(Self.load(UInt32.self, bytes, offset))
            shift = 32
            offset += 4
        }
        if count & 2 != 0 {
            last |= UInt64(Self.load(UInt16.self, bytes, offset)) << shift
            shift += 16
            offset += 2
        }
        if count & 1 != 0 { last |= UInt64(Self.load(UInt8.self, bytes, offset)) << shift }
        state.take(last)
        return state.end()
    }

    @inline(__always)
    private static func load<Word: FixedWidthInteger & BitwiseCopyable>(
        _: Word.Type, _ bytes: RawSpan, _ offset: Int
    ) -> Word {
        // Unsafe, but for the caller's conditions: they keep the offset within the length.
        Word(littleEndian: bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: Word.self))
    }

    private struct State {
        var v0: UInt64
        var v1: UInt64
        var v2: UInt64
        var v3: UInt64

        @inline(__always)
        mutating func take(_ word: UInt64) {
            v3 ^= word
            round()
            v0 ^= word
        }

        @inline(__always)
        mutating func end() -> UInt64 {
            v2 ^= 0xff
            for _ in 0..<3 { round() }
            return v0 ^ v1 ^ v2 ^ v3
        }

        @inline(__always)
        private mutating func round() {
            v0 &+= v1
            v1 = Self.rotated(v1, 13) ^ v0
            v0 = Self.rotated(v0, 32)
            v2 &+= v3
            v3 = Self.rotated(v3, 16) ^ v2
            v0 &+= v3
            v3 = Self.rotated(v3, 21) ^ v0
            v2 &+= v1
            v1 = Self.rotated(v1, 17) ^ v2
            v2 = Self.rotated(v2, 32)
        }

        @inline(__always)
        private static func rotated(_ value: UInt64, _ by: UInt64) -> UInt64 { value &<< by | value &>> (64 - by) }
    }
}
