import Glibc
import Groundwork

/// Pages of 4 KiB for the stores' tables, cut from the kernel's huge pages.
///
/// A lookup goes to random places in some ten megabytes. On huge pages the processor finds their addresses without walking
/// page tables in memory, which on a virtual machine costs as much again as the access itself. Pages that are given back
/// are handed out again, and never go back to the system: tables grow to what the cache's bound allows and stay.
/// Any thread.
enum PagePool {
    /// The size of every page.
    static let pageSize = 4096
    private static let chunkSize = 2 << 20

    /// Unsafe as any allocator: whoever was given a page holds it alone until it is given back.
    private struct State: @unchecked Sendable {
        var free: [UnsafeMutableRawPointer] = []
        var rest: UnsafeMutableRawPointer?
        var restCount = 0
    }

    private static let state = Mutex(State())

    /// A page of any content; nil when the system has no memory.
    static func allocate() -> UnsafeMutableRawPointer? {
        let page = state.withLock { state in
            if let page = state.free.popLast() { return Page(start: page) }
            if state.restCount == 0 {
                state.rest = chunk()
                state.restCount = state.rest == nil ? 0 : chunkSize / pageSize
            }
            guard let page = state.rest else { return Page(start: nil) }
            state.restCount -= 1
            state.rest = state.restCount == 0 ? nil : page + pageSize
            return Page(start: page)
        }
        return page.start
    }

    /// Gives pages back.
    static func release(_ pages: some Sequence<UnsafeMutableRawPointer>) {
        let pages = Pages(starts: Array(pages))
        state.withLock { $0.free += pages.starts }
    }

    /// Takes pages over the lock's border: they change owners there.
    private struct Page: @unchecked Sendable { let start: UnsafeMutableRawPointer? }
    private struct Pages: @unchecked Sendable { let starts: [UnsafeMutableRawPointer] }

    /// Two megabytes at an address that a huge page can have.
    private static func chunk() -> UnsafeMutableRawPointer? {
        let room = mmap(nil, 2 * chunkSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let room, room != MAP_FAILED else { return nil }
        let start = UnsafeMutableRawPointer(
            bitPattern: (UInt(bitPattern: room) + UInt(chunkSize) - 1) & ~UInt(chunkSize - 1))
        guard let start else { return nil }
        let before = start - room
        if before > 0 { munmap(room, before) }
        munmap(start + chunkSize, chunkSize - before)
        // Refused where the kernel has none to give: small pages do as well, only slower.
        madvise(start, chunkSize, MADV_HUGEPAGE)
        return start
    }
}
