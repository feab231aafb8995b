import CacheCore

/// A key split into the parameters of its group's query.
///
/// With n parameters the text is split at the first n-1 separators, so the last part may hold any byte but zero, which
/// PostgreSQL's text cannot hold.
struct KeyParts: QueryParameters {
    /// Why a key cannot be one of its group.
    enum Mistake: Error, Equatable {
        case wrongCount(expected: Int, found: Int)
        case zeroByte
    }

    private static let separator = UInt8(ascii: ":")

    private let bytes: [UInt8]
    private let count: Int

    /// Checks that `key` has `count` parts.
    init(of key: Key, count: Int) throws(Mistake) {
        bytes = key.bytes
        self.count = count
        if bytes.contains(0) { throw .zeroByte }
        if count == 0 {
            guard bytes.isEmpty else { throw .wrongCount(expected: 0, found: 1) }
        } else if count > 1 {
            var found = 1
            for byte in bytes where byte == Self.separator && found < count { found += 1 }
            guard found == count else { throw .wrongCount(expected: count, found: found) }
        }
    }

    /// The bytes of all parts and what separates them.
    var byteCount: Int { bytes.count }

    /// Calls `body` with the bytes of each part, in order.
    func forEachPart(_ body: (Int, ArraySlice<UInt8>) -> Void) {
        var rest = bytes[...]
        for part in 0..<count {
            let end = part + 1 < count ? rest.firstIndex(of: Self.separator) ?? rest.endIndex : rest.endIndex
            body(part, rest[..<end])
            rest = rest[end...].dropFirst()
        }
    }

    /// No part at all, for statements without parameters.
    private init() {
        bytes = []
        count = 0
    }

    /// The parameters of a statement that has none.
    static let none = KeyParts()

    /// All texts lie in one copy of the key, in which a zero byte stands at the end and in place of each separator.
    func withParameters<Result>(_ body: (Int32, UnsafePointer<UnsafePointer<CChar>?>?) -> Result) -> Result {
        guard count > 0 else { return body(0, nil) }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: bytes.count + 1) { text in
            withUnsafeTemporaryAllocation(of: UnsafePointer<CChar>?.self, capacity: count) { starts in
                var part = 0
                starts.initialize(repeating: nil)
                starts[0] = UnsafePointer(text.baseAddress)
                for (offset, byte) in bytes.enumerated() {
                    if byte == Self.separator, part + 1 < count {
                        text.initializeElement(at: offset, to: 0)
                        part += 1
                        starts[part] = UnsafePointer(text.baseAddress.map { $0 + offset + 1 })
                    } else {
                        text.initializeElement(at: offset, to: CChar(bitPattern: byte))
                    }
                }
                text.initializeElement(at: bytes.count, to: 0)
                return body(Int32(clamping: count), starts.baseAddress.map { UnsafePointer($0) })
            }
        }
    }
}
