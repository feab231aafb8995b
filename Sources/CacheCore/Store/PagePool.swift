import Glibc
import Groundwork

/// Pages of one size for the stores, cut from the kernel's huge pages.
///
/// A lookup goes to random addresses in some hundred megabytes. On huge pages the processor finds their addresses without
/// walking page tables in memory, which on a virtual machine costs as much again as the access itself. Pages that are
/// given back are handed out again; a huge page of which none is in use goes back to the system, but for one, and so do
/// single pages when more than a sixteenth are idle. Any thread.
final class PagePool: Sendable {
    /// For the stores' tables.
    static let tables = PagePool(pageSize: tablePageSize)
    /// For short records.
    static let records = PagePool(pageSize: recordPageSize)
    /// For long ones.
    static let longRecords = PagePool(pageSize: longRecordPageSize)

    // Computed, so that each use is the number and not a look at whether a variable was initialized.
    static var tablePageSize: Int { 4 << 10 }
    static var recordPageSize: Int { 16 << 10 }
    static var longRecordPageSize: Int { 128 << 10 }

    private static let chunkSize = 2 << 20
    /// For how many pages in use one idle page is kept in memory; as many as a huge page has are kept in any case.
    private static let idleShare = 16

    /// What every page has, and is aligned to.
    let pageSize: Int
    private let state = Mutex(State())

    /// One huge page's worth.
    private struct Chunk {
        var start: UnsafeMutableRawPointer
        /// Handed out so far; what is behind it was never touched.
        var cut = 0
        /// Given back, and still in memory.
        var idle: [UnsafeMutableRawPointer] = []
        /// Given back, and without memory until it is written to.
        var empty: [UnsafeMutableRawPointer] = []
        var inUse = 0
    }

    /// Unsafe as any allocator: whoever was given a page holds it alone until it is given back.
    private struct State: @unchecked Sendable {
        /// By address.
        var chunks: [UInt: Chunk] = [:]
        /// The addresses of those that have a page to give, in order. The first one gives: so the others empty.
        var open: [UInt] = []
        /// Pages in use, and those that are idle, of all chunks.
        var inUse = 0
        var idle = 0

        /// The next page of a chunk; there is one.
        mutating func take(from chunk: inout Chunk, _ pageSize: Int) -> UnsafeMutableRawPointer {
            chunk.inUse += 1
            inUse += 1
            if let page = chunk.idle.popLast() {
                idle -= 1
                return page
            }
            if let page = chunk.empty.popLast() { return page }
            defer { chunk.cut += 1 }
            return chunk.start + chunk.cut * pageSize
        }

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
            let first = state.withLock { [chunk = Chunk(start: start)] state -> Page? in
                let address = UInt(bitPattern: chunk.start)
                // The first one is of small pages, so that a small cache takes no more than it holds, until there is another.
                if !state.chunks.isEmpty { Self.adviseHugePage(chunk.start) }
                let first = state.chunks.count == 1 ? state.chunks.first?.value.start : nil
                state.chunks[address] = chunk
                state.open(address)
                return first.map(Page.init)
            }
            if let first { Self.makeHugePage(first.start) }
        }
    }

    private func takePage() -> UnsafeMutableRawPointer? {
        let page = state.withLock { state -> Page? in
            // Taken out meanwhile, so that it is not copied when it changes.
            guard let address = state.open.first, var chunk = state.chunks.removeValue(forKey: address)
            else {
                return nil
            }
            let page = state.take(from: &chunk, pageSize)
            if chunk.inUse == capacity { state.open.removeFirst() }
            state.chunks[address] = chunk
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
            guard var chunk = state.chunks.removeValue(forKey: address) else { return nil }
            if chunk.inUse == capacity { state.open(address) }
            chunk.inUse -= 1
            state.inUse -= 1
            if chunk.inUse == 0, state.open.count > 1 {
                state.open.removeAll { $0 == address }
                state.idle -= chunk.idle.count
                return Page(start: chunk.start)
            }
            if state.idle < state.inUse / Self.idleShare + capacity {
                chunk.idle.append(page.start)
                state.idle += 1
            } else {
                // Under the lock, as nobody else may have it yet: some microseconds, when a cache shrinks.
                madvise(page.start, pageSize, MADV_DONTNEED)
                chunk.empty.append(page.start)
            }
            state.chunks[address] = chunk
            return nil
        }
        if let unused { munmap(unused.start, Self.chunkSize) }
    }

    /// What the pages take that are in use, or idle and still in memory.
    var bytes: Int { state.withLock { ($0.inUse + $0.idle) * pageSize } }

    /// Takes an address out of the lock: what is there changes owners.
    private struct Page: @unchecked Sendable { let start: UnsafeMutableRawPointer }

    /// Two megabytes at an address that a huge page can have.
    private static func map() -> UnsafeMutableRawPointer? {
        // In most cases right below the one before, and then the kernel counts them as one mapping, of which it allows
        // only so many.
        guard let start = map(chunkSize) else { return nil }
        let misfit = UInt(bitPattern: start) & UInt(chunkSize - 1)
        if misfit == 0 { return start }
        munmap(start, chunkSize)
        guard let start = map(2 * chunkSize) else { return nil }
        let before = Int(bitPattern: (0 &- UInt(bitPattern: start)) & UInt(chunkSize - 1))
        if before > 0 { munmap(start, before) }
        munmap(start + before + chunkSize, chunkSize - before)
        return start + before
    }

    private static func map(_ size: Int) -> UnsafeMutableRawPointer? {
        let start = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        return start == MAP_FAILED ? nil : start
    }

    /// Refused where the kernel has no huge pages to give: small pages do as well, only slower.
    private static func adviseHugePage(_ chunk: UnsafeMutableRawPointer) {
        madvise(chunk, chunkSize, MADV_HUGEPAGE)
    }

    /// Makes a huge page of the small ones that a chunk has; the kernel does so at once (Linux 6.1), or when it gets round to it.
    private static func makeHugePage(_ chunk: UnsafeMutableRawPointer) {
        adviseHugePage(chunk)
        // MADV_COLLAPSE: headers are older.
        madvise(chunk, chunkSize, 25)
    }
}
