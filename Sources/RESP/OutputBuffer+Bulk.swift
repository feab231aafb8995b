extension OutputBuffer {
    /// The most bytes that `$`, a length and CR LF take.
    @inlinable static var longestBulkHeader: Int { 22 }

    /// Appends one bulk string whose bytes `fill` writes straight into the buffer: how a hit is answered.
    ///
    /// `fill` gets at least `capacity` free bytes. When `isAppended` refuses what it returns (a miss, a value that doesn't
    /// fit), nothing is appended, whatever was written. The length is known only afterwards, so the bytes are written
    /// where they belong if their length has as many digits as that of the bulk before, and moved otherwise.
    @inlinable
    public mutating func appendBulk<R: ~Copyable, E: Error>(
        capacity wanted: Int, _ fill: (inout OutputRawSpan) throws(E) -> R, onlyIf isAppended: (borrowing R) -> Bool
    ) throws(E) -> R {
        let guess = bulkHeaderBytes
        let header = reserve(wanted + Self.longestBulkHeader + 2)
        // Inside the free bytes: reserve left at least a header of any length and CR LF around it.
        let free = UnsafeMutableRawBufferPointer(
            start: header + guess, count: capacity - end - Self.longestBulkHeader - 2)
        var span = OutputRawSpan(buffer: free, initializedCount: 0)
        let result = try fill(&span)
        let count = span.finalize(for: free)
        guard isAppended(result) else { return result }
        let headerBytes = Decimal.digitCount(UInt(bitPattern: count)) + 3
        let bytes = header + headerBytes
        if headerBytes != guess {
            bytes.copyMemory(from: header + guess, byteCount: count)
            bulkHeaderBytes = headerBytes
        }
        Self.writeHeader(UInt8(ascii: "$"), UInt(bitPattern: count), headerBytes: headerBytes, at: header)
        Self.writeLineEnd(at: bytes + count)
        end += headerBytes + count + 2
        return result
    }

    /// The same, where nil says that nothing is to be appended.
    @inlinable
    public mutating func appendBulk<R: ~Copyable, E: Error>(
        capacity wanted: Int, _ fill: (inout OutputRawSpan) throws(E) -> R?
    ) throws(E) -> R? {
        try appendBulk(capacity: wanted, fill, onlyIf: { $0 != nil })
    }

    /// Appends the header of a bulk string whose `byteCount` bytes the caller sends behind it, and then a line end.
    @inlinable
    public mutating func appendBulkHeader(_ byteCount: Int) {
        appendHeader(UInt8(ascii: "$"), UInt(bitPattern: byteCount))
    }

    /// Appends a bulk string.
    @inlinable
    public mutating func appendBulk(_ bytes: RawSpan) {
        appendBulkHeader(bytes.byteCount)
        append(bytes)
        appendLineEnd()
    }

    /// Appends a type byte, a number and CR LF.
    @inlinable
    mutating func appendHeader(_ type: UInt8, _ value: UInt) {
        let headerBytes = Decimal.digitCount(value) + 3
        Self.writeHeader(type, value, headerBytes: headerBytes, at: reserve(headerBytes))
        end += headerBytes
    }

    /// Appends CR LF, the end of a bulk string whose header and bytes stand in front of it.
    @inlinable
    public mutating func appendLineEnd() {
        Self.writeLineEnd(at: reserve(2))
        end += 2
    }

    /// - Precondition: `headerBytes` bytes at `destination` are the caller's to write, three more than `value` has digits.
    @inlinable @inline(__always)
    static func writeHeader(_ type: UInt8, _ value: UInt, headerBytes: Int, at destination: UnsafeMutableRawPointer) {
        destination.storeBytes(of: type, as: UInt8.self)
        Decimal.write(value, before: destination + (headerBytes - 2))
        writeLineEnd(at: destination + (headerBytes - 2))
    }

    /// - Precondition: two bytes at `destination` are the caller's to write.
    @inlinable @inline(__always)
    static func writeLineEnd(at destination: UnsafeMutableRawPointer) {
        destination.storeBytes(of: UInt16(littleEndian: 0x0a0d), as: UInt16.self)
    }
}
