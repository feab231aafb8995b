import Groundwork

/// What is asked of a group. It may hold any byte.
public struct Key: Hashable, Sendable {
    /// The key's bytes.
    public let bytes: [UInt8]
    /// Their hash, on which a load is found by several times.
    let hash: UInt64

    /// A key of these bytes.
    public init(_ bytes: [UInt8]) {
        self.init(bytes, hash: EntryStore.hash(bytes.span.bytes))
    }

    /// A key of the text's UTF-8.
    public init(_ text: String) {
        self.init(Array(text.utf8))
    }

    /// A key that copies `span`.
    public init(copying span: RawSpan) {
        self.init(copying: span, hash: EntryStore.hash(span))
    }

    /// A key whose hash is known.
    init(copying span: RawSpan, hash: UInt64) {
        self.init([UInt8](copying: span), hash: hash)
    }

    private init(_ bytes: [UInt8], hash: UInt64) {
        self.bytes = bytes
        self.hash = hash
    }

    /// Feeds the bytes' hash, which is seeded as the hasher is.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(hash)
    }
}
