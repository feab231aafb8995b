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

    /// A text of so many bytes, and fields behind it.
    package init(bytes: [UInt8], textLength: Int) {
        self.init(storage: bytes, textLength: min(max(0, textLength), bytes.count))
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

    /// The same value taken apart, in a form that is its maker's and its readers' own. Empty when it has none.
    package var fields: RawSpan {
        @_lifetime(borrow self)
        get { bytes.extracting(droppingFirst: textLength) }
    }

    /// Whether the value has fields.
    package var hasFields: Bool { textLength < byteCount }
}
