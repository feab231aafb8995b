public import Postgres

/// One message of `pgoutput`, protocol version 1: a view of the caller's bytes. Parsing allocates for tables' descriptions
/// alone, and never more than what the message has bytes for.
///
/// Source: PostgreSQL 15, "Logical Replication Message Formats", and `src/backend/replication/logical/proto.c`.
public enum PgOutputMessage: ~Escapable {
    /// A transaction begins, whose commit record stands at a position. All of it has been committed already.
    case begin(commit: LogPosition, transaction: UInt32)
    /// It ends: where its commit record begins, and where it ends.
    case commit(record: LogPosition, end: LogPosition)
    /// Where the transaction came from, when it was replicated itself.
    case origin
    /// How a table looks from now on.
    case relation(Relation)
    /// What a type is called.
    case type
    /// A row came.
    case insert(relation: UInt32, new: Tuple)
    /// A row changed. The old one comes when its replica identity changed, or is `FULL`.
    case update(relation: UInt32, old: OldTuple, new: Tuple)
    /// A row went.
    case delete(relation: UInt32, old: OldTuple)
    /// Tables were emptied.
    case truncate(Truncated)
    /// What an application wrote by `pg_logical_emit_message`.
    case message

    /// Parses the whole of `bytes`.
    @_lifetime(copy bytes)
    public init(parsing bytes: RawSpan) throws(PgOutputError) {
        var reader = ByteReader(bytes)
        switch try reader.byte() {
        case UInt8(ascii: "B"):
            let commit = LogPosition(bytes: try reader.integer())
            _ = try reader.integer(Int64.self)  // when
            self = .begin(commit: commit, transaction: try reader.integer())
        case UInt8(ascii: "C"):
            _ = try reader.byte()  // flags, unused
            let record = LogPosition(bytes: try reader.integer())
            self = .commit(record: record, end: LogPosition(bytes: try reader.integer()))
            _ = try reader.integer(Int64.self)  // when
        case UInt8(ascii: "O"):
            _ = try reader.integer(Int64.self)
            _ = try reader.string()
            self = .origin
        case UInt8(ascii: "R"):
            self = .relation(try Relation(from: &reader))
        case UInt8(ascii: "Y"):
            _ = try reader.integer(UInt32.self)
            _ = try reader.string()
            _ = try reader.string()
            self = .type
        case UInt8(ascii: "I"):
            let relation = try reader.integer(UInt32.self)
            try reader.expect(UInt8(ascii: "N"))
            self = .insert(relation: relation, new: try Tuple(from: &reader))
        case UInt8(ascii: "U"):
            let relation = try reader.integer(UInt32.self)
            let kind = try reader.byte()
            if kind == UInt8(ascii: "N") {
                self = .update(relation: relation, old: .absent, new: try Tuple(from: &reader))
            } else {
                let old = try OldTuple(kind, from: &reader)
                try reader.expect(UInt8(ascii: "N"))
                self = .update(relation: relation, old: old, new: try Tuple(from: &reader))
            }
        case UInt8(ascii: "D"):
            let relation = try reader.integer(UInt32.self)
            self = .delete(relation: relation, old: try OldTuple(try reader.byte(), from: &reader))
        case UInt8(ascii: "T"):
            self = .truncate(try Truncated(from: &reader))
        case UInt8(ascii: "M"):
            _ = try reader.byte()  // flags
            _ = try reader.integer(Int64.self)  // where
            _ = try reader.string()  // prefix
            _ = try reader.skip(try reader.count(Int32.self))
            self = .message
        case let other: throw .unknown(other)
        }
        guard reader.isAtEnd else { throw .tooLong }
    }
}

/// What an update or a delete tells of the row as it was.
public enum OldTuple: ~Escapable {
    /// Nothing: the replica identity did not change.
    case absent
    /// The columns of the replica identity; those of all others are sent as null.
    case identity(Tuple)
    /// The whole row (`REPLICA IDENTITY FULL`).
    case whole(Tuple)

    @_lifetime(copy reader)
    init(_ kind: UInt8, from reader: inout ByteReader) throws(PgOutputError) {
        switch kind {
        case UInt8(ascii: "K"): self = .identity(try Tuple(from: &reader))
        case UInt8(ascii: "O"): self = .whole(try Tuple(from: &reader))
        default: throw .unknown(kind)
        }
    }
}

/// A row's columns, in the table's order.
public struct Tuple: ~Escapable {
    /// One column's value.
    public enum Column: ~Escapable {
        case null
        /// A value of long text that the update left alone: it is not sent.
        case unchanged
        /// The value as its type writes it.
        case text(RawSpan)
        /// The value in its type's binary form, which nobody asked for.
        case binary(RawSpan)
    }

    /// How many columns there are.
    public let count: Int
    private let bytes: RawSpan

    @_lifetime(copy reader)
    init(from reader: inout ByteReader) throws(PgOutputError) {
        count = try reader.count(Int16.self)
        let start = reader.offset
        for _ in 0..<count {
            switch try reader.byte() {
            case UInt8(ascii: "n"), UInt8(ascii: "u"): break
            case UInt8(ascii: "t"), UInt8(ascii: "b"): _ = try reader.skip(try reader.count(Int32.self))
            case let other: throw .unknown(other)
            }
        }
        bytes = reader.bytes.extracting(start..<reader.offset)
    }

    /// Hands the columns out in order, with their indexes from 0, until `body` returns false.
    public func forEach(_ body: (_ index: Int, _ column: borrowing Column) -> Bool) {
        // Nothing here can fail: `init` went over the same bytes.
        var reader = ByteReader(bytes)
        for index in 0..<count {
            guard let kind = try? reader.byte() else { return }
            let column: Column
            switch kind {
            case UInt8(ascii: "n"): column = .null
            case UInt8(ascii: "u"): column = .unchanged
            default:
                guard let length = try? reader.count(Int32.self), let range = try? reader.skip(length) else { return }
                let value = bytes.extracting(range)
                column = kind == UInt8(ascii: "t") ? .text(value) : .binary(value)
            }
            guard body(index, column) else { return }
        }
    }
}

/// The tables that one `TRUNCATE` emptied.
public struct Truncated: ~Escapable {
    /// How many tables.
    public let count: Int
    private let bytes: RawSpan

    @_lifetime(copy reader)
    init(from reader: inout ByteReader) throws(PgOutputError) {
        count = try reader.count(Int32.self)
        _ = try reader.byte()  // CASCADE, RESTART IDENTITY
        let (size, overflow) = count.multipliedReportingOverflow(by: 4)
        guard !overflow else { throw .tooShort }
        bytes = reader.bytes.extracting(try reader.skip(size))
    }

    /// The oid of one. `index` is below `count`.
    public subscript(index: Int) -> UInt32 {
        UInt32(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: index * 4, as: UInt32.self))
    }
}

extension ByteReader {
    /// A count or a length.
    @_lifetime(self: copy self)
    mutating func count<Number: FixedWidthInteger & BitwiseCopyable>(_ type: Number.Type) throws(PgOutputError) -> Int {
        let count = try integer(type)
        guard count >= 0 else { throw .negativeCount }
        return Int(count)
    }

    @_lifetime(self: copy self)
    mutating func expect(_ expected: UInt8) throws(PgOutputError) {
        let found = try byte()
        guard found == expected else { throw .unknown(found) }
    }
}
