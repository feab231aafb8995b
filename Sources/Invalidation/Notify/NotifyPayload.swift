/// What the triggers send, and how it is read.
///
/// A payload begins with `pgs1`. Behind it stands `a` when any row of the table may have changed, or `k` when the keys of the
/// changed rows follow; then the table's schema and its name; and with `k` the number of columns, `;`, the columns, and a text for
/// each column of one key after the other. A text is its length in bytes, `:` and its bytes; or, where the database is not in
/// UTF-8, the length of its UTF-8 in hexadecimal digits, `x` and those digits. NULL is `-`.
///
///     pgs1k6:public7:account1;2:id4:471127:x
///
/// Any role may send any payload, so whatever comes is taken apart within bounds and can make entries stale, and nothing else.
public enum NotifyPayload: Sendable, Equatable {
    /// What a trigger says.
    case change(TableChange)
    /// It begins as those of triggers and can't be read: one of another version, perhaps. What it says is not known, so any
    /// entry may be stale.
    case unreadable
    /// Not from a trigger.
    case foreign

    /// Longer payloads don't come from triggers: the server takes less than 8,000 bytes, of which in another encoding some
    /// may become three in UTF-8.
    public static let limit = 24_000

    static let version = "pgs1"
    /// PostgreSQL's limit of columns in an index.
    static let columnLimit = 32

    /// Reads a payload. O(bytes).
    public init(_ bytes: [UInt8]) {
        guard bytes.starts(with: "pgs".utf8) else {
            self = .foreign
            return
        }
        guard bytes.count <= Self.limit, bytes.starts(with: Self.version.utf8) else {
            self = .unreadable
            return
        }
        var reader = PayloadReader(bytes.dropFirst(Self.version.utf8.count))
        self = reader.change().map { .change($0) } ?? .unreadable
    }
}

/// Takes a payload apart, from its front to its end.
private struct PayloadReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    /// The whole payload; nil unless it is right to its last byte.
    mutating func change() -> TableChange? {
        let kind = rest.popFirst()
        guard let schema = name(), let table = name() else { return nil }
        let name = TableName(schema: schema, name: table)
        switch kind {
        case UInt8(ascii: "a"): return rest.isEmpty ? TableChange(table: name, what: .all) : nil
        case UInt8(ascii: "k"): return rows().map { TableChange(table: name, what: $0) }
        case _: return nil
        }
    }

    private mutating func rows() -> TableChange.What? {
        guard let count = number(), count <= NotifyPayload.columnLimit, rest.popFirst() == UInt8(ascii: ";") else {
            return nil
        }
        var columns: [String] = []
        for _ in 0..<count {
            guard let column = name(), !columns.contains(column) else { return nil }
            columns.append(column)
        }
        var keys = KeyTexts(columns: columns)
        while !rest.isEmpty {
            // Without columns nothing can follow.
            guard !columns.isEmpty else { return nil }
            for _ in columns where !takeText(into: &keys) { return nil }
        }
        return .rows(keys)
    }

    private mutating func takeText(into keys: inout KeyTexts) -> Bool {
        if rest.first == UInt8(ascii: "-") {
            rest.removeFirst()
            keys.append(nil)
        } else {
            guard let text = text() else { return false }
            keys.append(text.span.bytes)
        }
        return true
    }

    /// A name, which can't be empty and has no zero byte.
    private mutating func name() -> String? {
        guard let text = text(), !text.isEmpty, !text.contains(0) else { return nil }
        return String(validating: text, as: UTF8.self)
    }

    private mutating func text() -> [UInt8]? {
        guard let count = number(), let form = rest.popFirst(), count <= rest.count else { return nil }
        let bytes = rest.prefix(count)
        rest = rest.dropFirst(count)
        switch form {
        case UInt8(ascii: ":"): return Array(bytes)
        case UInt8(ascii: "x"): return Self.decoded(bytes)
        case _: return nil
        }
    }

    /// Up to five digits: no longer number can be right.
    private mutating func number() -> Int? {
        let digits = rest.prefix(6).prefix { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
        guard !digits.isEmpty, digits.count <= 5 else { return nil }
        rest = rest.dropFirst(digits.count)
        return digits.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
    }

    private static func decoded(_ digits: ArraySlice<UInt8>) -> [UInt8]? {
        guard digits.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.count / 2)
        var index = digits.startIndex
        while index < digits.endIndex {
            guard let high = value(digits[index]), let low = value(digits[index + 1]) else { return nil }
            bytes.append(high << 4 | low)
            index += 2
        }
        return bytes
    }

    private static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case _: nil
        }
    }
}
