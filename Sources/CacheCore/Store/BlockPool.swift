import Glibc
import Groundwork

/// Memory for large values: whole pages of the system, which gets them back when a value goes, but for a sixteenth that the
/// next values get.
///
/// So no mix of lengths, whatever came and went before, takes much more than the values that are there. Addresses are dealt
/// out in classes of four to each power of two, and are used again; what of a block was never written to takes no memory.
/// Pages are emptied and not unmapped, since each hole would make a mapping, of which the kernel allows only so many.
/// Any thread.
final class BlockPool: Sendable {
    static let shared = BlockPool()

    private static let pageSize = 4 << 10
    private static let regionSize = 64 << 20
    /// Longer ones are mapped by themselves.
    private static let classLimit = 1 << 20
    /// One free byte to so many in use is kept in memory.
    private static let idleShare = 16

    /// Unsafe as any allocator: whoever was given a block holds it alone until it is given back.
    private struct State: @unchecked Sendable {
        /// Free blocks without memory, by their length.
        var empty: [Int: [UnsafeMutableRawPointer]] = [:]
        /// Free blocks that begin with so many bytes of memory, by their length.
        var idle: [Int: [(start: UnsafeMutableRawPointer, size: Int)]] = [:]
        var idleBytes = 0
        /// The region that is being dealt out.
        var next: UnsafeMutableRawPointer?
        var left = 0
        var bytes = 0

        mutating func take(_ size: Int) -> UnsafeMutableRawPointer? {
            let length = BlockPool.classLength(size)
            if let block = idle[length]?.popLast() {
                idleBytes -= block.size
                if block.size > size { madvise(block.start + size, block.size - size, MADV_DONTNEED) }
                return block.start
            }
            if let block = empty[length]?.popLast() { return block }
            if left < length {
                // What is left of the last region was never touched, so it costs nothing.
                guard let region = BlockPool.map(BlockPool.regionSize) else { return nil }
                // A huge page would bring back what was given back.
                madvise(region, BlockPool.regionSize, MADV_NOHUGEPAGE)
                next = region
                left = BlockPool.regionSize
            }
            defer {
                next = next.map { $0 + length }
                left -= length
            }
            return next
        }
    }

    private let state = Mutex(State())

    private init() {}

    /// What `count` bytes take.
    static func size(_ count: Int) -> Int { (count + pageSize - 1) & ~(pageSize - 1) }

    /// What all blocks take, and what is kept for more.
    var bytes: Int { state.withLock { $0.bytes + $0.idleBytes } }

    /// Room for `count` bytes, which are more than none; nil when the system has no memory.
    func allocate(_ count: Int) -> UnsafeMutableRawPointer? {
        let size = Self.size(count)
        let isAlone = size > Self.classLimit
        let alone = isAlone ? Self.map(size).map(Address.init) : nil
        return state.withLock { state -> Address? in
            guard let start = isAlone ? alone : state.take(size).map(Address.init) else { return nil }
            state.bytes += size
            return start
        }?.start
    }

    /// Gives back what ``allocate(_:)`` gave for so many bytes.
    func release(_ start: UnsafeMutableRawPointer, _ count: Int) {
        let size = Self.size(count)
        let length = Self.classLength(size)
        let isAlone = size > Self.classLimit
        let address = Address(start: start)
        let isKept = state.withLock { state in
            state.bytes -= size
            guard !isAlone, state.idleBytes + size <= state.bytes / Self.idleShare else { return false }
            state.idle[length, default: []].append((address.start, size))
            state.idleBytes += size
            return true
        }
        if isKept { return }
        // Without the lock: it takes the longer the larger it is.
        if isAlone {
            _ = munmap(start, size)
            return
        }
        madvise(start, size, MADV_DONTNEED)
        state.withLock { $0.empty[length, default: []].append(address.start) }
    }

    /// Takes an address over the lock's border: what is there changes owners.
    private struct Address: @unchecked Sendable { let start: UnsafeMutableRawPointer }

    /// The least length of a class that has room for `size` bytes: a quarter of a power of two more than the one before.
    static func classLength(_ size: Int) -> Int {
        let power = 1 << (Int.bitWidth - 1 - size.leadingZeroBitCount)
        let step = max(pageSize, power / 4)
        return (size + step - 1) & ~(step - 1)
    }

    private static func map(_ size: Int) -> UnsafeMutableRawPointer? {
        let start = mmap(
            nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        return start == MAP_FAILED ? nil : start
    }
}
