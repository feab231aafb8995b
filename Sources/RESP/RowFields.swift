/// Writes a row as it is kept: its text, and behind it its hash form, which ``RowFields`` reads.
///
/// The hash form is the number of fields (UInt32, little endian), then name and text of each as bulk strings
/// (`$3\r\naid\r\n$1\r\n7\r\n`), so that HGETALL copies bytes.
package struct RowEncoder {
    /// What the number of fields takes.
    fileprivate static let countBytes = 4

    /// All that was written so far: the text first.
    package private(set) var bytes: [UInt8] = []
    /// How much of it is the text.
    package let textLength: Int
    private var fieldCount: UInt32 = 0

    /// Begins with the row's text, with `firstByte`, if given, in place of its first byte. `fieldBytes` is a guess at what
    /// the columns' names and texts take together.
    package init(text: RawSpan, firstByte: UInt8? = nil, fieldBytes: Int = 0) {
        textLength = text.byteCount
        bytes.reserveCapacity(textLength + Self.countBytes + fieldBytes)
        append(text)
        if let firstByte, textLength > 0 { bytes[0] = firstByte }
        bytes.append(contentsOf: repeatElement(0, count: Self.countBytes))
    }

    /// Adds a column that is not null.
    package mutating func append(name: RawSpan, value: RawSpan) {
        fieldCount += 1
        for byte in 0..<Self.countBytes {
            bytes[textLength + byte] = UInt8(truncatingIfNeeded: fieldCount >> UInt32(8 * byte))
        }
        appendBulk(name)
        appendBulk(value)
    }

    private mutating func appendBulk(_ content: RawSpan) {
        bytes.append(ASCII.dollar)
        appendDecimal(content.byteCount)
        appendLineEnd()
        append(content)
        appendLineEnd()
    }

    private mutating func append(_ content: RawSpan) {
        content.withUnsafeBytes { bytes.append(contentsOf: $0) }
    }

    private mutating func appendLineEnd() {
        bytes.append(ASCII.carriageReturn)
        bytes.append(ASCII.lineFeed)
    }

    private mutating func appendDecimal(_ number: Int) {
        if number >= 10 { appendDecimal(number / 10) }
        bytes.append(ASCII.zero + UInt8(number % 10))
    }
}

/// Reads the hash form that ``RowEncoder`` wrote. Reading ends at bytes of any other form; without bytes there are no
/// fields.
package struct RowFields: ~Escapable {
    private let bytes: RawSpan

    /// Reads the bytes behind a row's text.
    @_lifetime(copy bytes)
    package init(_ bytes: RawSpan) {
        self.bytes = bytes
    }

    /// The number of fields.
    package var count: Int {
        guard bytes.byteCount >= RowEncoder.countBytes else { return 0 }
        return (0..<RowEncoder.countBytes).reduce(0) { $0 | Int(byte($1)) << (8 * $1) }
    }

    /// Names and texts as bulk strings.
    package var pairs: RawSpan {
        @_lifetime(copy self)
        get { bytes.extracting(droppingFirst: min(RowEncoder.countBytes, bytes.byteCount)) }
    }

    /// The text of a field as a whole bulk string, `$1\r\n7\r\n`; nil when there is none of the name. O(fields).
    @_lifetime(copy self)
    package func bulk(of name: RawSpan) -> RawSpan? {
        var offset = RowEncoder.countBytes
        while let field = string(at: offset), let text = string(at: field.next) {
            let isIt =
                field.count == name.byteCount && bytes.extracting(field.start..<field.start + field.count) == name
            if isIt { return bytes.extracting(field.next..<text.next) }
            offset = text.next
        }
        return nil
    }

    /// Calls `body` with the name and the text of each field, in their order.
    package func forEach(_ body: (_ name: RawSpan, _ text: RawSpan) -> Void) {
        var offset = RowEncoder.countBytes
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
    fileprivate static func == (left: RawSpan, right: RawSpan) -> Bool {
        left.withUnsafeBytes { left in right.withUnsafeBytes { left.elementsEqual($0) } }
    }
}
