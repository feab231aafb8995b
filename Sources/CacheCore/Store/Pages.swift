/// An array in pages of fixed size: it grows without copying what it holds and without room for twice as much, and its
/// elements keep their addresses.
///
/// Unsafe because its elements are trivial structs that several fields of one cache line are changed in; bounds are
/// checked in debug builds only, as every index comes from the store itself.
struct Pages<Element: BitwiseCopyable>: ~Copyable {
    private var pages: ContiguousArray<UnsafeMutablePointer<Element>> = []
    private(set) var count = 0
    private let shift: Int
    private let mask: Int

    /// Pages of 2^`shift` elements.
    init(shift: Int) {
        self.shift = shift
        mask = (1 << shift) - 1
    }

    deinit {
        for page in pages { page.deallocate() }
    }

    subscript(index: Int) -> UnsafeMutablePointer<Element> {
        @inline(__always)
        get {
            assert(index < count)
            return pages[index &>> shift] + (index & mask)
        }
    }

    /// Adds an element at the end.
    mutating func append(_ element: Element) {
        if count & mask == 0 {
            pages.append(.allocate(capacity: mask + 1))
        }
        (pages[count >> shift] + (count & mask)).initialize(to: element)
        count += 1
    }
}
