/// A position in PostgreSQL's write-ahead log (an LSN, `pg_lsn`): bytes since its beginning.
public struct LogPosition: Comparable, Hashable, Sendable, LosslessStringConvertible {
    /// The number of bytes.
    public var bytes: UInt64

    /// The beginning, which PostgreSQL takes for "no position".
    public static let none = LogPosition(bytes: 0)

    /// The position behind so many bytes.
    public init(bytes: UInt64) {
        self.bytes = bytes
    }

    /// Reads PostgreSQL's own form, as `pg_lsn` does: two numbers of one to eight hexadecimal digits, `16/B374D848`.
    public init?(_ text: String) {
        let halves = text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard halves.count == 2, let high = Self.half(halves[0]), let low = Self.half(halves[1]) else { return nil }
        bytes = UInt64(high) << 32 | UInt64(low)
    }

    private static func half(_ digits: Substring.UTF8View) -> UInt32? {
        // Without a sign, which Swift would take.
        guard (1...8).contains(digits.count), digits.allSatisfy({ Character(UnicodeScalar($0)).isHexDigit }) else {
            return nil
        }
        return UInt32(Substring(digits), radix: 16)
    }

    /// PostgreSQL's own form.
    public var description: String {
        String(bytes >> 32, radix: 16, uppercase: true) + "/"
            + String(bytes & 0xffff_ffff, radix: 16, uppercase: true)
    }

    /// Orders as the log is written.
    public static func < (one: LogPosition, other: LogPosition) -> Bool { one.bytes < other.bytes }
}
