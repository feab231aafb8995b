/// The keys of a batch as parameters: for each part of a key one array, as PostgreSQL writes arrays (section 8.15 of its
/// documentation), in the keys' order.
struct KeyArrays: QueryParameters {
    private static let quote = UInt8(ascii: "\"")
    private static let backslash = UInt8(ascii: "\\")

    /// Each ends with a zero byte.
    private var texts: [[UInt8]]

    /// No keys of `partCount` parts.
    init(partCount: Int) {
        texts = Array(repeating: [], count: partCount)
    }

    /// The bytes of all of them.
    var byteCount: Int { texts.reduce(0) { $0 + $1.count } }

    /// Every element stands in quotes, in which only quotes and backslashes mean something.
    mutating func append(_ key: KeyParts) {
        key.forEachPart { part, bytes in
            // Taken out while it grows, so that no byte costs a look at who else has it.
            var text: [UInt8] = []
            swap(&text, &texts[part])
            text.append(text.isEmpty ? UInt8(ascii: "{") : UInt8(ascii: ","))
            text.append(Self.quote)
            if bytes.contains(where: Self.isEscaped) {
                for byte in bytes {
                    if Self.isEscaped(byte) { text.append(Self.backslash) }
                    text.append(byte)
                }
            } else {
                text += bytes
            }
            text.append(Self.quote)
            swap(&text, &texts[part])
        }
    }

    private static func isEscaped(_ byte: UInt8) -> Bool { byte == quote || byte == backslash }

    /// To be called after the last key.
    mutating func close() {
        for part in texts.indices {
            texts[part].append(UInt8(ascii: "}"))
            texts[part].append(0)
        }
    }

    func withParameters<Result>(_ body: (Int32, UnsafePointer<UnsafePointer<CChar>?>?) -> Result) -> Result {
        // One after the other, so that one buffer holds them all and no closures nest.
        var joined: [UInt8] = []
        joined.reserveCapacity(byteCount)
        for text in texts { joined += text }
        return joined.withUnsafeBytes { joined in
            let first = joined.baseAddress?.assumingMemoryBound(to: CChar.self)
            var starts: [UnsafePointer<CChar>?] = []
            var offset = 0
            for text in texts {
                starts.append(first.map { $0 + offset })
                offset += text.count
            }
            return starts.withUnsafeBufferPointer { body(Int32(clamping: $0.count), $0.baseAddress) }
        }
    }
}
