import Glibc

extension [UInt8] {
    /// A copy of `bytes`.
    @inlinable
    public init(copying bytes: RawSpan) {
        self = bytes.withUnsafeBytes { Array($0) }
    }

    /// Adds a copy of `bytes` at the end.
    @inlinable
    public mutating func append(copying bytes: RawSpan) {
        bytes.withUnsafeBytes { append(contentsOf: $0) }
    }
}

extension RawSpan {
    /// Whether it has the same bytes as `other`. O(bytes).
    public func hasSameBytes(as other: RawSpan) -> Bool {
        guard byteCount == other.byteCount else { return false }
        return withUnsafeBytes { bytes in
            other.withUnsafeBytes { other in
                // Without an address both are empty. (`elementsEqual` goes byte by byte.)
                guard let first = bytes.baseAddress, let second = other.baseAddress else { return true }
                return memcmp(first, second, bytes.count) == 0
            }
        }
    }
}
