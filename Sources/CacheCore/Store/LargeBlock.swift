import Glibc

/// The bytes of a value that is too long to be copied under a lock. Whoever has a reference reads them, also after the entry
/// is gone.
///
/// Unsafe because it hands out its address; it holds for as long as the object lives, and nobody writes after `init`.
final class LargeBlock: @unchecked Sendable {
    private let start: UnsafeMutableRawPointer
    let byteCount: Int
    let textLength: Int

    /// Copies a value; nil when the system has no memory. Page faults make that slow, so not under a lock.
    init?(copying value: Value) {
        guard let start = BlockPool.shared.allocate(value.byteCount) else { return nil }
        self.start = start
        byteCount = value.byteCount
        textLength = value.textLength
        value.bytes.withUnsafeBytes { bytes in
            if let source = bytes.baseAddress { memcpy(start, source, bytes.count) }
        }
    }

    deinit {
        BlockPool.shared.release(start, byteCount)
    }

    var bytes: RawSpan {
        @_lifetime(borrow self)
        get { _overrideLifetime(RawSpan(_unsafeStart: start, byteCount: byteCount), borrowing: self) }
    }

    /// What a value of so many bytes takes: whole pages of the system, and the object with malloc's header.
    static func cost(_ byteCount: Int) -> Int { BlockPool.size(byteCount) + 64 }
}

extension Value {
    /// The value in a block, if it has to be in one; made outside of every lock. Nil when the system has no memory.
    func blocked() -> Value? {
        guard byteCount > Record.copyLimit, block == nil else { return self }
        return LargeBlock(copying: self).map(Value.init)
    }
}
