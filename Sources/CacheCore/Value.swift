import Groundwork

/// What a getter loaded for one key, encoded once: from then on it is copied, never rendered.
///
/// A value is a text: bytes of any kind.
public struct Value: Sendable {
    private enum Storage {
        case array([UInt8])
        case block(LargeBlock)
    }

    private let storage: Storage
    let textLength: Int
    /// Whether the source has no such row. An answer, not an error.
    public let isMissing: Bool
    /// Whether it is for those who wait for its load alone, and not kept.
    public private(set) var isTransient = false

    /// "There is no such row."
    public static let missing = Value(storage: [], textLength: 0, isMissing: true)

    /// A text without fields.
    public init(text: [UInt8]) {
        self.init(storage: text, textLength: text.count, isMissing: false)
    }

    /// A text without fields. A long one is copied to where it stays: there is no other copy when it is stored.
    public init(text: RawSpan) {
        if text.byteCount > Record.copyLimit, let block = LargeBlock(copying: text, textLength: text.byteCount) {
            self.init(block)
        } else {
            self.init(text: [UInt8](copying: text))
        }
    }

    /// The same value for those who wait for its load alone: what cannot be invalidated must not be kept.
    public func transient() -> Value {
        var value = self
        value.isTransient = true
        return value
    }

    init(storage: [UInt8], textLength: Int, isMissing: Bool = false) {
        self.storage = .array(storage)
        self.textLength = textLength
        self.isMissing = isMissing
    }

    init(_ block: LargeBlock) {
        storage = .block(block)
        textLength = block.textLength
        isMissing = false
    }

    /// Where its bytes are, if they are in a block.
    var block: LargeBlock? {
        switch storage {
        case .array: nil
        case .block(let block): block
        }
    }

    /// How many bytes it has in all.
    var byteCount: Int {
        switch storage {
        case .array(let bytes): bytes.count
        case .block(let block): block.byteCount
        }
    }

    /// The text; behind it, when ``textLength`` is less than all, the fields.
    var bytes: RawSpan {
        @_lifetime(borrow self)
        get {
            // What is borrowed belongs to the storage, which lives as long as the value does.
            switch storage {
            case .array(let bytes): _overrideLifetime(bytes.span.bytes, borrowing: self)
            case .block(let block): _overrideLifetime(block.bytes, borrowing: self)
            }
        }
    }

    /// Its bytes.
    public var text: RawSpan {
        @_lifetime(borrow self)
        get { bytes.extracting(first: textLength) }
    }

    /// The hash form: the number of fields (UInt32, little endian), then name and text of each as RESP bulk strings
    /// (`$3\r\naid\r\n$1\r\n7\r\n`), so that `HGETALL` copies bytes. Empty when the value has none.
    package var fields: RawSpan {
        @_lifetime(borrow self)
        get { bytes.extracting(droppingFirst: textLength) }
    }

    /// Whether the value has a hash form.
    package var hasFields: Bool { textLength < byteCount }
}

/// Builds the value of one row: its JSON text, then its columns.
package struct RowEncoder {
    private var storage: [UInt8] = []
    private let textLength: Int
    private var fieldCount: UInt32 = 0

    /// Begins with the row's text, of which `firstByte` stands in for the first byte when it is given. `fieldBytes` is a
    /// guess of what names and texts of the columns take together.
    package init(text: RawSpan, firstByte: UInt8? = nil, fieldBytes: Int = 0) {
        textLength = text.byteCount
        storage.reserveCapacity(textLength + fieldBytes + 4)
        append(text)
        if let firstByte, textLength > 0 { storage[0] = firstByte }
        storage.append(contentsOf: [0, 0, 0, 0])
    }

    /// Adds a column that is not null.
    package mutating func append(name: RawSpan, value: RawSpan) {
        fieldCount += 1
        appendBulk(name)
        appendBulk(value)
    }

    /// The finished value.
    package consuming func finish() -> Value {
        for index in 0..<4 {
            storage[textLength + index] = UInt8(truncatingIfNeeded: fieldCount >> UInt32(8 * index))
        }
        return Value(storage: storage, textLength: textLength)
    }

    private mutating func appendBulk(_ bytes: RawSpan) {
        storage.append(UInt8(ascii: "$"))
        appendDecimal(bytes.byteCount)
        appendLineEnd()
        append(bytes)
        appendLineEnd()
    }

    private mutating func append(_ bytes: RawSpan) {
        storage.append(copying: bytes)
    }

    private mutating func appendLineEnd() {
        storage.append(UInt8(ascii: "\r"))
        storage.append(UInt8(ascii: "\n"))
    }

    private mutating func appendDecimal(_ number: Int) {
        if number >= 10 { appendDecimal(number / 10) }
        storage.append(UInt8(ascii: "0") + UInt8(number % 10))
    }
}
