/// An array in pages of 4 KiB: it grows without copying what it holds and without room for twice as much, and its elements
/// keep their addresses.
///
/// Unsafe because its elements are trivial structs that several fields of one cache line are changed in; bounds are
/// checked in debug builds only, as every index comes from the store itself.
struct Pages<Element: BitwiseCopyable>: ~Copyable {
    private var pages: ContiguousArray<UnsafeMutablePointer<Element>> = []
    private(set) var count = 0

    /// Elements of a page: as many as fit, to a power of two.
    static var pageCount: Int { 1 << shift }
    @inline(__always)
    private static var shift: Int { (PagePool.tablePageSize / MemoryLayout<Element>.stride).trailingZeroBitCount }

    deinit {
        for page in pages { PagePool.tables.release(page) }
    }

    subscript(index: Int) -> UnsafeMutablePointer<Element> {
        @inline(__always)
        get {
            assert(index < count)
            return pages[index &>> Self.shift] + (index & (Self.pageCount - 1))
        }
    }

    /// Adds an element at the end. Returns whether the system had memory for it.
    mutating func append(_ element: Element) -> Bool {
        if count & (Self.pageCount - 1) == 0 {
            guard let page = PagePool.tables.allocate() else { return false }
            pages.append(page.bindMemory(to: Element.self, capacity: Self.pageCount))
        }
        (pages[count &>> Self.shift] + (count & (Self.pageCount - 1))).initialize(to: element)
        count += 1
        return true
    }
}
