import RESP

/// One reply of RESP2.
public enum WireReply: Sendable, Equatable {
    /// The null bulk string or array.
    case null
    /// A bulk string's bytes.
    case bulk([UInt8])
    /// A status, or an integer's digits.
    case line(String)
    /// An error's code and text.
    case error(String)
    /// Replies in one.
    case array([WireReply])

    /// The text of a bulk string or a line.
    public var text: String? {
        switch self {
        case .bulk(let bytes): String(decoding: bytes, as: UTF8.self)
        case .line(let text): text
        case .null, .error, .array: nil
        }
    }

    /// Reads the reply that begins at `start`, and says where the next one does; nil while it has not come whole.
    ///
    /// It begins anew each time it is called, so it is for replies that mostly come in one piece.
    static func read(_ bytes: RawSpan, from start: Int) throws(ConnectionError) -> (reply: WireReply, end: Int)? {
        guard start < bytes.byteCount else { return nil }
        let type = bytes.byte(at: start)
        switch type {
        case UInt8(ascii: "$"):
            guard let (length, begin) = try length(bytes, from: start + 1) else { return nil }
            guard length >= 0 else { return (.null, begin) }
            guard begin + length + 2 <= bytes.byteCount else { return nil }
            return (.bulk(bytes.extracting(begin..<begin + length).withUnsafeBytes { Array($0) }), begin + length + 2)
        case UInt8(ascii: "*"):
            guard let (count, begin) = try length(bytes, from: start + 1) else { return nil }
            guard count >= 0 else { return (.null, begin) }
            var parts: [WireReply] = []
            var next = begin
            while parts.count < count {
                guard let (part, end) = try read(bytes, from: next) else { return nil }
                parts.append(part)
                next = end
            }
            return (.array(parts), next)
        case UInt8(ascii: "+"), UInt8(ascii: ":"), UInt8(ascii: "-"):
            var end = start + 1
            while end < bytes.byteCount, bytes.byte(at: end) != ASCII.lineFeed { end += 1 }
            guard end < bytes.byteCount else { return nil }
            let text = bytes.extracting(start + 1..<end - 1).withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
            return (type == UInt8(ascii: "-") ? .error(text) : .line(text), end + 1)
        default: throw ConnectionError("what came is no reply of RESP2")
        }
    }

    private static func length(
        _ bytes: RawSpan, from start: Int
    ) throws(ConnectionError) -> (length: Int, end: Int)? {
        switch LengthLine.read(bytes, from: start, to: bytes.byteCount) {
        case .incomplete: return nil
        case .malformed: throw ConnectionError("a reply's length is no number")
        case .length(let length, let end): return (length, end)
        }
    }
}
