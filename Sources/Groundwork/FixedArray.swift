/// A fixed number of values, which need not be copyable, in one block of memory.
///
/// Who owns it reaches them without counting a reference: threads that use their own elements only don't take a count from
/// one another.
public struct FixedArray<Element: ~Copyable>: ~Copyable {
    // Unsafe: the block is initialized in `init`, as a whole, and freed in `deinit`.
    private let base: UnsafeMutablePointer<Element>
    /// How many they are.
    public let count: Int

    /// `count` values, each made by `make`.
    public init(count: Int, make: () -> Element) {
        base = .allocate(capacity: count)
        self.count = count
        for index in 0..<count { (base + index).initialize(to: make()) }
    }

    deinit {
        base.deinitialize(count: count)
        base.deallocate()
    }

    /// The value at `index`, which must be below ``count``.
    public subscript(index: Int) -> Element {
        unsafeAddress {
            precondition(index >= 0 && index < count)
            return UnsafePointer(base + index)
        }
    }
}

extension FixedArray: @unchecked Sendable where Element: Sendable & ~Copyable {
    // Unchecked: the elements are reached as they are, and the pointer to them never changes.
}
