import Glibc

/// The bytes that came, and the replies in them.
struct ReplyInput: ~Copyable {
    private var bytes = [UInt8](repeating: 0, count: 64 << 10)
    /// Where the next reply begins.
    private var start = 0
    /// Where what came ends.
    private var end = 0

    /// Reads once. False when there was nothing to read; throws at the connection's end.
    mutating func receive(from socket: borrowing UnixSocket) throws(ConnectionError) -> Bool {
        makeRoom()
        let count = try socket.receive(into: &bytes, from: end)
        end += count
        return count > 0
    }

    /// The next reply that came whole.
    mutating func next() throws(ConnectionError) -> WireReply? {
        guard let (reply, next) = try Self.read(bytes, start..<end) else { return nil }
        start = next
        return reply
    }

    private static func read(
        _ bytes: [UInt8], _ range: Range<Int>
    ) throws(ConnectionError) -> (reply: WireReply, end: Int)? {
        try WireReply.read(bytes.span.bytes.extracting(first: range.upperBound), from: range.lowerBound)
    }

    /// Brings what is not read yet to the front, and has the memory grow when that is most of it.
    private mutating func makeRoom() {
        if start == end {
            start = 0
            end = 0
        }
        guard bytes.count - end < bytes.count / 2 else { return }
        let (start, count) = (start, end - start)
        bytes.withUnsafeMutableBytes { buffer in
            guard let base = buffer.baseAddress else { return }
            _ = memmove(base, base + start, count)
        }
        self.start = 0
        end = count
        if end > bytes.count / 2 { bytes.append(contentsOf: [UInt8](repeating: 0, count: bytes.count)) }
    }
}
