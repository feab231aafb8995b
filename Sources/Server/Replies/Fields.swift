import CacheCore

/// Reads the hash form of a value: the number of fields (UInt32, little endian), then name and text of each as RESP bulk
/// strings. It was encoded by `RowEncoder`; bytes that are not such end the reading, and of no bytes there are no fields.
struct Fields: ~Escapable {
    /// What the number of fields takes.
    static let countBytes = 4

    private let bytes: RawSpan

    @_lifetime(copy bytes)
    init(_ bytes: RawSpan) {
        self.bytes = bytes
    }

    /// The number of fields.
    var count: Int {
        guard bytes.byteCount >= Self.countBytes else { return 0 }
        return (0..<Self.countBytes).reduce(0) { $0 | Int(byte($1)) << (8 * $1) }
    }

    /// Names and texts as bulk strings.
    var pairs: RawSpan {
        @_lifetime(copy self)
        get { bytes.extracting(droppingFirst: min(Self.countBytes, bytes.byteCount)) }
    }

    /// The text of a field as a whole bulk string, `$1\r\n7\r\n`; nil when there is none of the name. O(fields).
    @_lifetime(copy self)
    func bulk(of name: RawSpan) -> RawSpan? {
        var offset = Self.countBytes
        while let field = string(at: offset), let text = string(at: field.next) {
            let isIt =
                field.count == name.byteCount && bytes.extracting(field.start..<field.start + field.count) == name
            if isIt { return bytes.extracting(field.next..<text.next) }
            offset = text.next
        }
        return nil
    }

    /// Calls `body` with the name and the text of each field, in their order.
    func forEach(_ body: (_ name: RawSpan, _ text: RawSpan) -> Void) {
        var offset = Self.countBytes
        while let name = string(at: offset), let text = string(at: name.next) {
            body(
                bytes.extracting(name.start..<name.start + name.count),
                bytes.extracting(text.start..<text.start + text.count))
            offset = text.next
        }
    }

    /// Where the bytes of the bulk string at `offset` stand.
    private func string(at offset: Int) -> (start: Int, count: Int, next: Int)? {
        guard offset < bytes.byteCount, byte(offset) == UInt8(ascii: "$") else { return nil }
        var cursor = offset + 1
        var count = 0
        while cursor < bytes.byteCount, byte(cursor) != UInt8(ascii: "\r") {
            let digit = byte(cursor) &- UInt8(ascii: "0")
            guard digit < 10, count <= bytes.byteCount else { return nil }
            count = count * 10 + Int(digit)
            cursor += 1
        }
        let start = cursor + 2
        let next = start + count + 2
        return next <= bytes.byteCount ? (start, count, next) : nil
    }

    private func byte(_ offset: Int) -> UInt8 {
        // One byte, bounds checked by the span.
        bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
    }
}

extension RawSpan {
    /// Whether both have the same bytes.
    static func == (left: RawSpan, right: RawSpan) -> Bool {
        left.withUnsafeBytes { left in right.withUnsafeBytes { left.elementsEqual($0) } }
    }
}
