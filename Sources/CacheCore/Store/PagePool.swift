import Glibc
import Groundwork

/// Pages of one size for the stores, cut from the kernel's huge pages.
///
/// A lookup goes to random places in some hundred megabytes. On huge pages the processor finds their addresses without
/// walking page tables in memory, which on a virtual machine costs as much again as the access itself. Pages that are
/// given back are handed out again; a huge page of which none is in use goes back to the system, but for one.
/// Any thread.
final class PagePool: Sendable {
    /// For the stores' tables.
    static let tables = PagePool(pageSize: tablePageSize)
    /// For records.
    static let records = PagePool(pageSize: recordPageSize)

    // Computed, so that each use is the number and not a look at whether a variable was initialized.
    static var tablePageSize: Int { 4 << 10 }
    static var recordPageSize: Int { 16 << 10 }

    private static let chunkSize = 2 << 20

    /// What every page has, and is aligned to.
    let pageSize: Int
    private let state = Mutex(State())

    /// One huge page's worth.
    private struct Chunk {
        var start: UnsafeMutableRawPointer
        /// Handed out so far; what is behind it was never touched.
        var cut = 0
        /// Given back.
        var free: [UnsafeMutableRawPointer] = []
        var inUse = 0

        /// The next page; there is one.
        mutating func take(_ pageSize: Int) -> UnsafeMutableRawPointer {
            inUse += 1
            if let page = free.popLast() { return page }
            defer { cut += 1 }
            return start + cut * pageSize
        }
    }

    /// Unsafe as any allocator: whoever was given a page holds it alone until it is given back.
    private struct State: @unchecked Sendable {
        /// By address.
        var chunks: [UInt: Chunk] = [:]
        /// The addresses of those that have a page to give, in order. The first one gives: so the others empty.
        var open: [UInt] = []

        mutating func open(_ address: UInt) {
            open.insert(address, at: open.firstIndex { $0 > address } ?? open.count)
        }
    }

    private init(pageSize: Int) {
        self.pageSize = pageSize
    }

    /// A page of any content; nil when the system has no memory.
    func allocate() -> UnsafeMutableRawPointer? {
        while true {
            if let page = takePage() { return page }
            guard let start = Self.map() else { return nil }
            // Another thread may have mapped one, too: then there are two.
            state.withLock { [chunk = Chunk(start: start)] state in
                let address = UInt(bitPattern: chunk.start)
                state.chunks[address] = chunk
                state.open(address)
            }
        }
    }

    private func takePage() -> UnsafeMutableRawPointer? {
        let page = state.withLock { state -> Page? in
            guard let address = state.open.first, let page = state.chunks[address]?.take(pageSize) else { return nil }
            if state.chunks[address]?.inUse == capacity { state.open.removeFirst() }
            return Page(start: page)
        }
        return page?.start
    }

    /// Pages of a chunk.
    private var capacity: Int { Self.chunkSize / pageSize }

    /// Gives a page back.
    func release(_ page: UnsafeMutableRawPointer) {
        let page = Page(start: page)
        let unused = state.withLock { state -> Page? in
            let address = UInt(bitPattern: page.start) & ~UInt(Self.chunkSize - 1)
            guard let inUse = state.chunks[address]?.inUse else { return nil }
            if inUse == capacity { state.open(address) }
            state.chunks[address]?.free.append(page.start)
            state.chunks[address]?.inUse = inUse - 1
            guard inUse == 1, state.open.count > 1 else { return nil }
            state.open.removeAll { $0 == address }
            return state.chunks.removeValue(forKey: address).map { Page(start: $0.start) }
        }
        if let unused { munmap(unused.start, Self.chunkSize) }
    }

    /// Takes an address over the lock's border: what is there changes owners.
    private struct Page: @unchecked Sendable { let start: UnsafeMutableRawPointer }

    /// Two megabytes at an address that a huge page can have.
    private static func map() -> UnsafeMutableRawPointer? {
        // In most cases right below the one before, and then the kernel counts them as one mapping, of which it allows
        // only so many.
        guard let start = map(chunkSize) else { return nil }
        let misfit = UInt(bitPattern: start) & UInt(chunkSize - 1)
        if misfit == 0 { return advised(start) }
        munmap(start, chunkSize)
        guard let start = map(2 * chunkSize) else { return nil }
        let before = Int(bitPattern: (0 &- UInt(bitPattern: start)) & UInt(chunkSize - 1))
        if before > 0 { munmap(start, before) }
        munmap(start + before + chunkSize, chunkSize - before)
        return advised(start + before)
    }

    private static func map(_ size: Int) -> UnsafeMutableRawPointer? {
        let start = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        return start == MAP_FAILED ? nil : start
    }

    /// Refused where the kernel has no huge pages to give: small pages do as well, only slower.
    private static func advised(_ chunk: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
        madvise(chunk, chunkSize, MADV_HUGEPAGE)
        return chunk
    }
}
