/// The keys of many rows: one key after the other, a text or NULL for each column. All stands in one buffer, so a key more takes
/// no allocation of its own.
public struct KeyTexts: Equatable, Sendable {
    /// The columns that each key has a text for.
    public let columns: [String]
    private var bytes: [UInt8] = []
    /// The texts' lengths; -1 for NULL.
    private var lengths: [Int32] = []

    /// No keys yet.
    public init(columns: [String]) {
        self.columns = columns
    }

    /// How many keys there are; none without columns.
    public var count: Int { columns.isEmpty ? 0 : lengths.count / columns.count }

    /// Adds the text for the next column, shorter than 2 GiB, as all are that PostgreSQL has; nil for NULL.
    public mutating func append(_ text: RawSpan?) {
        guard let text else { return lengths.append(-1) }
        text.withUnsafeBytes { bytes.append(contentsOf: $0) }
        lengths.append(Int32(clamping: text.byteCount))
    }

    /// About what a text takes in memory, in buffers that may be half empty.
    static func cost(ofTextOf bytes: Int) -> Int { 2 * (bytes + MemoryLayout<Int32>.size) }

    /// Hands out the keys in their order.
    func forEach(_ body: (borrowing KeyText) -> Void) {
        let (bytes, lengths) = (bytes.span.bytes, lengths.span)
        var start = 0
        for index in 0..<count {
            let first = index * columns.count
            let key = KeyText(
                bytes: bytes.extracting(droppingFirst: start),
                lengths: lengths.extracting(first..<first + columns.count))
            body(key)
            start += key.byteCount
        }
    }
}

/// One of ``KeyTexts``: a view of their bytes.
struct KeyText: ~Escapable {
    /// These are followed by those of the keys behind it.
    private let bytes: RawSpan
    private let lengths: Span<Int32>

    @_lifetime(copy bytes, copy lengths)
    fileprivate init(bytes: RawSpan, lengths: Span<Int32>) {
        self.bytes = bytes
        self.lengths = lengths
    }

    /// That of all its texts.
    var byteCount: Int { start(of: lengths.count) }

    /// The text for a column; nil for NULL.
    subscript(column: Int) -> RawSpan? {
        @_lifetime(copy self)
        get {
            let length = Int(lengths[column])
            guard length >= 0 else { return nil }
            let start = start(of: column)
            return bytes.extracting(start..<start + length)
        }
    }

    private func start(of column: Int) -> Int {
        var start = 0
        for before in 0..<column { start += max(0, Int(lengths[before])) }
        return start
    }
}
