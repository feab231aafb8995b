import Invalidation
import Postgres

/// Writes messages of `pgoutput` as PostgreSQL does.
struct PgOutputBytes {
    var bytes: [UInt8] = []

    enum Column: Equatable {
        case null, unchanged
        case text(String)
    }

    init(_ kind: Character) { bytes.append(kind.asciiValue ?? 0) }

    mutating func add<Number: FixedWidthInteger>(_ number: Number) {
        withUnsafeBytes(of: number.bigEndian) { bytes += $0 }
    }

    mutating func add(_ text: String) { bytes += Array(text.utf8) + [0] }

    mutating func add(_ kind: Character, _ columns: [Column]) {
        bytes.append(kind.asciiValue ?? 0)
        add(Int16(columns.count))
        for column in columns {
            switch column {
            case .null: bytes.append(UInt8(ascii: "n"))
            case .unchanged: bytes.append(UInt8(ascii: "u"))
            case .text(let text):
                bytes.append(UInt8(ascii: "t"))
                add(Int32(text.utf8.count))
                bytes += Array(text.utf8)
            }
        }
    }

    static func begin(_ transaction: UInt32, at position: UInt64 = 100) -> [UInt8] {
        var message = PgOutputBytes("B")
        message.add(position)
        message.add(Int64(7))
        message.add(transaction)
        return message.bytes
    }

    static func commit(at position: UInt64 = 100, end: UInt64 = 120) -> [UInt8] {
        var message = PgOutputBytes("C")
        message.add(UInt8(0))
        message.add(position)
        message.add(end)
        message.add(Int64(7))
        return message.bytes
    }

    static func relation(
        _ columns: [(name: String, isIdentity: Bool)] = [("id", true), ("mail", false)], id: UInt32 = 1,
        schema: String = "public", name: String = "account", identity: Character = "d"
    ) -> [UInt8] {
        var message = PgOutputBytes("R")
        message.add(id)
        message.add(schema)
        message.add(name)
        message.bytes.append(identity.asciiValue ?? 0)
        message.add(Int16(columns.count))
        for column in columns {
            message.add(UInt8(column.isIdentity ? 1 : 0))
            message.add(column.name)
            message.add(UInt32(25))
            message.add(Int32(-1))
        }
        return message.bytes
    }

    static func insert(_ new: [Column], of id: UInt32 = 1) -> [UInt8] {
        var message = PgOutputBytes("I")
        message.add(id)
        message.add("N", new)
        return message.bytes
    }

    static func update(old: (Character, [Column])? = nil, _ new: [Column], of id: UInt32 = 1) -> [UInt8] {
        var message = PgOutputBytes("U")
        message.add(id)
        if let old { message.add(old.0, old.1) }
        message.add("N", new)
        return message.bytes
    }

    static func delete(_ kind: Character, _ old: [Column], of id: UInt32 = 1) -> [UInt8] {
        var message = PgOutputBytes("D")
        message.add(id)
        message.add(kind, old)
        return message.bytes
    }

    static func truncate(_ ids: [UInt32]) -> [UInt8] {
        var message = PgOutputBytes("T")
        message.add(Int32(ids.count))
        message.add(UInt8(1))
        for id in ids { message.add(id) }
        return message.bytes
    }

    static func origin() -> [UInt8] {
        var message = PgOutputBytes("O")
        message.add(UInt64(9))
        message.add("there")
        return message.bytes
    }

    static func type() -> [UInt8] {
        var message = PgOutputBytes("Y")
        message.add(UInt32(90))
        message.add("public")
        message.add("mood")
        return message.bytes
    }

    static func message() -> [UInt8] {
        var message = PgOutputBytes("M")
        message.add(UInt8(1))
        message.add(UInt64(9))
        message.add("prefix")
        message.add(Int32(3))
        message.bytes += [1, 2, 3]
        return message.bytes
    }

    /// One of each kind.
    static var all: [[UInt8]] {
        let row: [Column] = [.text("7"), .text("a@b")]
        return [
            begin(5), commit(), origin(), relation(), type(), message(), insert(row), update(row),
            update(old: ("K", [.text("6"), .null]), row), update(old: ("O", row), [.text("7"), .unchanged]),
            delete("K", [.text("7"), .null]), delete("O", row), truncate([1, 2]),
        ]
    }
}
