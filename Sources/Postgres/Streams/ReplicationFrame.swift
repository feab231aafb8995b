import Glibc

/// What a walsender sends inside of COPY: a view of the caller's bytes.
///
/// Source: PostgreSQL 15, "Streaming Replication Protocol".
public enum ReplicationFrame: ~Escapable {
    /// A message of the output plugin.
    case data(RawSpan)
    /// The server has sent all up to `end`, and may want to hear of us at once.
    case keepalive(end: LogPosition, wantsReply: Bool)

    /// Nil when it is neither.
    @_lifetime(copy bytes)
    public init?(_ bytes: RawSpan) {
        // One byte, then for data: start, end, clock (8 bytes each); for a keepalive: end, clock, a flag.
        guard bytes.byteCount > 0 else { return nil }
        switch (bytes.unsafeLoadUnaligned(fromByteOffset: 0, as: UInt8.self), bytes.byteCount) {
        case (UInt8(ascii: "w"), 25...):
            self = .data(bytes.extracting(25..<bytes.byteCount))
        case (UInt8(ascii: "k"), 18):
            let end = UInt64(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: 1, as: UInt64.self))
            let flag = bytes.unsafeLoadUnaligned(fromByteOffset: 17, as: UInt8.self)
            self = .keepalive(end: LogPosition(bytes: end), wantsReply: flag != 0)
        default: return nil
        }
    }
}

/// What is sent to a walsender: how far we are, and whether it is to say how far it is.
public struct StandbyStatus: Equatable, Sendable {
    /// All up to here was received. It is said to be written, flushed and applied alike: whoever forgets everything when the
    /// connection is lost will never ask for it again.
    public var position: LogPosition
    /// Whether the server is to answer with a keepalive.
    public var wantsReply: Bool

    /// A status.
    public init(position: LogPosition, wantsReply: Bool) {
        self.position = position
        self.wantsReply = wantsReply
    }

    /// The message: 34 bytes.
    ///
    /// - Parameter clock: Microseconds since 2000-01-01.
    public func encoded(clock: Int64 = Self.microsecondsSince2000()) -> [UInt8] {
        var bytes = [UInt8(ascii: "r")]
        bytes.reserveCapacity(34)
        let numbers = [position.bytes, position.bytes, position.bytes, UInt64(bitPattern: clock)]
        for number in numbers {
            withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) }
        }
        bytes.append(wantsReply ? 1 : 0)
        return bytes
    }

    /// PostgreSQL's clock.
    public static func microsecondsSince2000() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return (Int64(time.tv_sec) - 946_684_800) * 1_000_000 + Int64(time.tv_nsec) / 1000
    }
}
