/// Bytes to be sent: written at one end, read at the other. It owns its memory and grows as needed; the caller sets the
/// bound, by looking at `byteCount` before writing more.
///
/// The memory holds the bytes at `start..<end`; `start <= end <= capacity` always. This file and `OutputBuffer+Bulk`
/// are where RESP works with pointers: each points into `memory` and doesn't outlive the call it is made in.
public struct OutputBuffer: ~Copyable, @unchecked Sendable {
    // Sendable though it holds a pointer: the memory has this one owner, which can't be copied.
    @usableFromInline var memory: UnsafeMutableRawPointer?
    @usableFromInline var capacity = 0
    @usableFromInline var start = 0
    @usableFromInline var end = 0
    /// The bytes of the last bulk's header, the guess for the next one's.
    @usableFromInline var bulkHeaderBytes = 5

    static let firstCapacity = 1024
    /// An empty buffer keeps memory up to this.
    @inlinable static var retainedCapacity: Int { 64 << 10 }

    /// An empty buffer without memory.
    public init() {}

    deinit {
        memory?.deallocate()
    }

    /// The number of bytes written and not yet consumed.
    @inlinable
    public var byteCount: Int { end - start }

    /// Whether there is nothing to read.
    @inlinable
    public var isEmpty: Bool { end == start }

    /// The memory in use, in bytes.
    public var allocatedByteCount: Int { capacity }

    /// The bytes written and not yet consumed.
    public var bytes: RawSpan {
        @_lifetime(borrow self)
        get {
            // Initialised up to `end`; the span borrows self, so the memory neither moves nor goes while it is used.
            let span = RawSpan(_unsafeBytes: UnsafeRawBufferPointer(start: memory, count: end)).extracting(start..<end)
            return _overrideLifetime(span, borrowing: self)
        }
    }

    /// Calls `body` with the bytes written and not yet consumed, for send(2).
    @inlinable
    public func withUnsafeBytes<R: ~Copyable, E: Error>(
        _ body: (UnsafeRawBufferPointer) throws(E) -> R
    ) throws(E) -> R {
        try body(UnsafeRawBufferPointer(start: memory.map { UnsafeRawPointer($0 + start) }, count: end - start))
    }

    /// Drops the first `count` bytes, at most those there are. A buffer that grew big and becomes empty gives its memory
    /// back.
    @inlinable
    public mutating func consume(_ count: Int) {
        start += min(max(count, 0), end - start)
        if start == end { removeAll() }
    }

    /// Drops all bytes; memory that grew big is given back.
    @inlinable
    public mutating func removeAll() {
        start = 0
        end = 0
        if capacity > Self.retainedCapacity { releaseMemory() }
    }

    /// Drops what was written since `byteCount` was `count`, as long as nothing was consumed meanwhile.
    public mutating func truncate(toByteCount count: Int) {
        guard count >= 0, count < byteCount else { return }
        end = start + count
    }

    /// Drops all bytes and the memory.
    @usableFromInline
    mutating func releaseMemory() {
        memory?.deallocate()
        memory = nil
        capacity = 0
        start = 0
        end = 0
    }

    /// Appends a copy of `bytes`.
    @inlinable
    public mutating func append(_ bytes: RawSpan) {
        bytes.withUnsafeBytes { source in
            let destination = reserve(source.count)
            if let from = source.baseAddress { destination.copyMemory(from: from, byteCount: source.count) }
            end += source.count
        }
    }

    /// Lets `fill` write into at least `capacity` free bytes, and appends what it wrote. Used for recv(2) too.
    @inlinable
    public mutating func appendRaw<R: ~Copyable, E: Error>(
        capacity wanted: Int, _ fill: (inout OutputRawSpan) throws(E) -> R
    ) throws(E) -> R {
        let free = UnsafeMutableRawBufferPointer(start: reserve(wanted), count: capacity - end)
        var span = OutputRawSpan(buffer: free, initializedCount: 0)
        let result = try fill(&span)
        end += span.finalize(for: free)
        return result
    }

    /// The end of the bytes, with at least `count` free bytes behind it.
    @inlinable @inline(__always)
    mutating func reserve(_ count: Int) -> UnsafeMutableRawPointer {
        if let memory, capacity - end >= count { return memory + end }
        return grow(count)
    }

    /// Makes room by moving the bytes to the beginning, when that frees at least half, or into memory of twice the size.
    @usableFromInline @inline(never)
    mutating func grow(_ count: Int) -> UnsafeMutableRawPointer {
        let used = end - start
        if let memory, used <= capacity / 2, capacity - used >= count {
            memory.copyMemory(from: memory + start, byteCount: used)
            start = 0
            end = used
            return memory + used
        }
        let grown = max(capacity * 2, used + count, Self.firstCapacity)
        let larger = UnsafeMutableRawPointer.allocate(byteCount: grown, alignment: 16)
        if let memory {
            larger.copyMemory(from: memory + start, byteCount: used)
            memory.deallocate()
        }
        memory = larger
        capacity = grown
        start = 0
        end = used
        return larger + used
    }
}
