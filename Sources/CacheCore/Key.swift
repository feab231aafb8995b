/// What is asked of a group: the text after `group:` on the wire. It may hold any byte.
public struct Key: Hashable, Sendable {
    /// The key's bytes.
    public let bytes: [UInt8]

    /// A key of these bytes.
    public init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// A key of the text's UTF-8.
    public init(_ text: String) {
        bytes = Array(text.utf8)
    }

    /// Feeds the bytes in one piece.
    public func hash(into hasher: inout Hasher) {
        bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
    }

    /// A key that copies `span`.
    public init(copying span: RawSpan) {
        bytes = span.withUnsafeBytes { Array($0) }
    }
}
