/// Reads numbers in network order and strings from bytes that somebody else wrote: every read is checked.
struct ByteReader: ~Escapable {
    let bytes: RawSpan
    private(set) var offset = 0

    @_lifetime(copy bytes)
    init(_ bytes: RawSpan) {
        self.bytes = bytes
    }

    var isAtEnd: Bool { offset == bytes.byteCount }

    @_lifetime(self: copy self)
    mutating func byte() throws(PgOutputError) -> UInt8 { try integer() }

    /// A number in network order.
    @_lifetime(self: copy self)
    mutating func integer<Number: FixedWidthInteger & BitwiseCopyable>(
        _: Number.Type = Number.self
    ) throws(PgOutputError) -> Number {
        let size = MemoryLayout<Number>.size
        guard bytes.byteCount - offset >= size else { throw .tooShort }
        defer { offset += size }
        return Number(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: Number.self))
    }

    /// A string up to its zero byte.
    @_lifetime(self: copy self)
    mutating func string() throws(PgOutputError) -> String {
        var end = offset
        while end < bytes.byteCount, bytes.unsafeLoadUnaligned(fromByteOffset: end, as: UInt8.self) != 0 { end += 1 }
        guard end < bytes.byteCount else { throw .tooShort }
        defer { offset = end + 1 }
        return bytes.extracting(offset..<end).withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
    }

    /// Skips so many bytes and tells where they are.
    @_lifetime(self: copy self)
    mutating func skip(_ count: Int) throws(PgOutputError) -> Range<Int> {
        guard count >= 0, bytes.byteCount - offset >= count else { throw .tooShort }
        defer { offset += count }
        return offset..<offset + count
    }
}

/// Bytes that are no message of `pgoutput`: another version of the protocol, or not PostgreSQL.
public enum PgOutputError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The message ends in the middle of something.
    case tooShort
    /// There is more behind the message's end.
    case tooLong
    /// No message, or part of one, begins with this byte.
    case unknown(UInt8)
    /// A number is negative that can't be.
    case negativeCount
    /// A change of a table that was not described before.
    case unknownRelation(UInt32)
    /// More tables are described than a stream may have.
    case tooManyRelations
    /// A change or a commit outside of a transaction, or a transaction in another.
    case outOfOrder

    /// For logs.
    public var description: String {
        switch self {
        case .tooShort: "a replication message ends in the middle"
        case .tooLong: "a replication message is longer than what it says"
        case .unknown(let byte): "a replication message has an unknown part (byte \(byte))"
        case .negativeCount: "a replication message has a negative count"
        case .unknownRelation(let id): "a change of a table that was not described (oid \(id))"
        case .tooManyRelations: "the publication has too many tables"
        case .outOfOrder: "replication messages are out of order"
        }
    }
}
