/// Finds its way in a JSON object that PostgreSQL wrote.
enum JSONMembers {
    /// The offset of the comma behind the first `count` members; nil when no more follow them. O(what is passed over).
    static func end(ofFirst count: Int, in object: RawSpan) -> Int? {
        object.withUnsafeBytes { bytes in
            var left = count
            var depth = 0
            var offset = 1
            while offset < bytes.count {
                switch bytes[offset] {
                case UInt8(ascii: "\""): offset = endOfString(from: offset, in: bytes)
                case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
                case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
                case UInt8(ascii: ",") where depth == 0:
                    left -= 1
                    if left == 0 { return offset }
                default: break
                }
                offset += 1
            }
            return nil
        }
    }

    /// The offset of the quote that ends the string which begins at `start`.
    private static func endOfString(from start: Int, in bytes: UnsafeRawBufferPointer) -> Int {
        var offset = start + 1
        while offset < bytes.count, bytes[offset] != UInt8(ascii: "\"") {
            offset += bytes[offset] == UInt8(ascii: "\\") ? 2 : 1
        }
        return offset
    }
}
