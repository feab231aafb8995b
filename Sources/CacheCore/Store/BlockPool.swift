import DequeModule
import Glibc
import Groundwork

/// Memory for large values: whole pages of the system. A block that is given back keeps its memory for a value of about
/// its length; when idle blocks take more than an eighth of what those in use take, the system gets some back.
///
/// So no mix of lengths, whatever came and went before, takes much more than the values that are there, and values that
/// come and go by turns find memory that is there: to give a page back and to get another one costs ten times what filling
/// it does. Addresses are dealt out in powers of two, and are used again; what of a block was never written to takes no
/// memory. Pages are emptied and not unmapped, since each hole would make a mapping, of which the kernel allows only so
/// many. Any thread.
final class BlockPool: Sendable {
    static let shared = BlockPool()

    private static let pageSize = 4 << 10
    private static let regionSize = 64 << 20
    /// Longer ones are mapped by themselves.
    private static let longest = 1 << 20
    /// For how many bytes in use one idle byte is kept in memory; some are kept in any case.
    private static let idleShare = 8
    private static let idleLeast = 2 << 20
    /// How many idle blocks of a class, the last ones, are looked at for the one whose length is closest.
    private static let lookedAt = 64

    /// Unsafe as any allocator: whoever was given a block holds it alone until it is given back.
    struct Block: @unchecked Sendable {
        let start: UnsafeMutableRawPointer
        /// What is in memory, or will be when it is written to.
        fileprivate(set) var size: Int
        /// The class whose addresses it has; nil: it is mapped by itself.
        fileprivate let number: Int?
    }

    /// The free blocks of one length, which is a power of two.
    private struct Class {
        /// Those without memory.
        var empty: [Block] = []
        /// Those with memory, in the order in which they were given back.
        var idle: Deque<Block> = []
    }

    private struct State: Sendable {
        /// The blocks of class n have room for 2ⁿ pages.
        var classes = [Class](repeating: Class(), count: BlockPool.number(of: BlockPool.longest) + 1)
        /// The class that gave memory back last.
        var drained = 0
        /// What blocks in use take, and idle ones.
        var bytes = 0
        var idleBytes = 0
        /// What of the last region was not dealt out yet.
        var rest: Block?

        /// The idle block whose length is closest to `size`, of those with room for it; nil when an empty one is as good.
        /// Blocks of twice the length that would do are taken, too: so there are more to choose from.
        mutating func takeIdle(_ size: Int) -> Block? {
            let first = BlockPool.number(of: size)
            var best: (number: Int, position: Int)?
            var least = size
            for number in first...min(first + 1, classes.count - 1) {
                let idle = classes[number].idle
                for position in idle.indices.suffix(BlockPool.lookedAt) where abs(idle[position].size - size) < least {
                    least = abs(idle[position].size - size)
                    best = (number, position)
                }
            }
            guard let best else { return nil }
            let block = classes[best.number].idle.remove(at: best.position)
            idleBytes -= block.size
            return block
        }

        /// A block without memory.
        mutating func takeEmpty(_ size: Int) -> Block? {
            let number = BlockPool.number(of: size)
            if let block = classes[number].empty.popLast() { return block }
            let length = BlockPool.pageSize << number
            if rest?.size ?? 0 < length {
                // What is left of the last region was never touched, so it costs nothing.
                guard let start = BlockPool.map(BlockPool.regionSize) else { return nil }
                // A huge page would bring back what was given back.
                madvise(start, BlockPool.regionSize, MADV_NOHUGEPAGE)
                rest = Block(start: start, size: BlockPool.regionSize, number: nil)
            }
            guard let region = rest else { return nil }
            rest = Block(start: region.start + length, size: region.size - length, number: nil)
            return Block(start: region.start, size: 0, number: number)
        }

        /// The oldest idle block of a class when there are too many. The classes take turns, so that blocks of a length that
        /// nobody asks for any more don't stay.
        mutating func takeSurplus() -> Block? {
            guard idleBytes > max(bytes / BlockPool.idleShare, BlockPool.idleLeast) else { return nil }
            for _ in classes.indices {
                drained = (drained + 1) % classes.count
                if let block = classes[drained].idle.popFirst() {
                    idleBytes -= block.size
                    return block
                }
            }
            return nil
        }
    }

    private let state = Mutex(State())

    /// What `count` bytes take.
    static func size(_ count: Int) -> Int { (count + pageSize - 1) & ~(pageSize - 1) }

    /// What all blocks take, and what is kept for more.
    var bytes: Int { state.withLock { $0.bytes + $0.idleBytes } }

    /// Room for `count` bytes, which are more than none; nil when the system has no memory.
    func allocate(_ count: Int) -> Block? {
        let size = Self.size(count)
        guard size <= Self.longest else {
            guard let start = Self.map(size) else { return nil }
            state.withLock { $0.bytes += size }
            return Block(start: start, size: size, number: nil)
        }
        let taken = state.withLock { state in
            let block = state.takeIdle(size) ?? state.takeEmpty(size)
            if block != nil { state.bytes += size }
            return block
        }
        guard var block = taken else { return nil }
        // Without the lock, as below: it takes the longer the larger it is.
        if block.size > size { madvise(block.start + size, block.size - size, MADV_DONTNEED) }
        block.size = size
        return block
    }

    /// Gives back what ``allocate(_:)`` gave.
    func release(_ block: Block) {
        guard let number = block.number else {
            munmap(block.start, block.size)
            state.withLock { $0.bytes -= block.size }
            return
        }
        var surplus = state.withLock { state in
            state.bytes -= block.size
            state.idleBytes += block.size
            state.classes[number].idle.append(block)
            return state.takeSurplus()
        }
        while var block = surplus, let number = block.number {
            madvise(block.start, block.size, MADV_DONTNEED)
            block.size = 0
            surplus = state.withLock { [block] state in
                state.classes[number].empty.append(block)
                return state.takeSurplus()
            }
        }
    }

    /// The class with the least room for `size` bytes.
    private static func number(of size: Int) -> Int {
        Int.bitWidth - ((size - 1) / pageSize).leadingZeroBitCount
    }

    private static func map(_ size: Int) -> UnsafeMutableRawPointer? {
        let start = mmap(
            nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        return start == MAP_FAILED ? nil : start
    }
}
