import RESP

/// Bytes of a client that wait: for the rest of a request, or for their turn.
struct StoredInput: ~Copyable {
    var bytes = OutputBuffer()
    /// Has seen the beginning of `bytes`.
    var parser: RequestParser
    /// What is there is less than one request: only more bytes help.
    var isIncomplete = false

    /// What it takes beyond the little that every client may have.
    var chargedBytes: Int { max(0, bytes.allocatedByteCount - Self.free) }

    /// How much is not held against what all clients together may have.
    static let free = 16 << 10
}
