import Glibc

/// The bytes of a value that is too long to be copied under a lock. Whoever has a reference reads them, also after the entry
/// is gone.
///
/// Unsafe because it reads at an address; that holds for as long as the object lives, and nobody writes after `init`.
final class LargeBlock: Sendable {
    private let block: BlockPool.Block
    let byteCount: Int
    let textLength: Int

    /// Copies bytes; nil when the system has no memory. Page faults make that slow, so not under a lock.
    init?(copying bytes: RawSpan, textLength: Int) {
        guard let block = BlockPool.shared.allocate(bytes.byteCount) else { return nil }
        self.block = block
        byteCount = bytes.byteCount
        self.textLength = textLength
        bytes.withUnsafeBytes { bytes in
            if let source = bytes.baseAddress { memcpy(block.start, source, bytes.count) }
        }
    }

    deinit {
        BlockPool.shared.release(block)
    }

    var bytes: RawSpan {
        @_lifetime(borrow self)
        get { _overrideLifetime(RawSpan(_unsafeStart: block.start, byteCount: byteCount), borrowing: self) }
    }

    /// What a value of so many bytes takes: whole pages of the system, and the object with malloc's header.
    static func cost(_ byteCount: Int) -> Int { BlockPool.size(byteCount) + 80 }
}

extension Value {
    /// The value in a block, if it has to be in one; made outside of every lock. Nil when the system has no memory.
    func blocked() -> Value? {
        guard byteCount > Record.copyLimit, block == nil else { return self }
        return LargeBlock(copying: bytes, textLength: textLength).map(Value.init)
    }
}
