/// Elements in slots that are used again, each named by a token: its slot's index, and how many elements the slot has had. So
/// the token of an element that was taken out names nothing, even when the slot has another one by now.
public struct SlotTable<Element> {
    @usableFromInline
    struct Slot {
        @usableFromInline var element: Element?
        @usableFromInline var generation: UInt32

        @inlinable
        init(element: Element?, generation: UInt32) {
            self.element = element
            self.generation = generation
        }
    }

    @usableFromInline var slots: ContiguousArray<Slot> = []
    @usableFromInline var vacant: [UInt32] = []

    /// A table without elements.
    @inlinable
    public init() {}

    /// The token that the next element will have.
    @inlinable
    public var nextToken: UInt64 {
        guard let index = vacant.last else { return UInt64(slots.count) }
        return UInt64(slots[Int(index)].generation) << 32 | UInt64(index)
    }

    /// Adds an element, whose token is what ``nextToken`` was.
    @inlinable
    public mutating func insert(_ element: Element) {
        if let index = vacant.popLast() {
            slots[Int(index)].element = element
        } else {
            slots.append(Slot(element: element, generation: 0))
        }
    }

    /// The element of a token; nil when it was taken out.
    @inlinable
    public subscript(token: UInt64) -> Element? {
        index(of: token).flatMap { slots[$0].element }
    }

    /// Takes an element out; nil when it was before.
    @inlinable
    public mutating func remove(_ token: UInt64) -> Element? {
        guard let index = index(of: token), let element = slots[index].element.take() else { return nil }
        slots[index].generation &+= 1
        vacant.append(UInt32(truncatingIfNeeded: index))
        return element
    }

    @inlinable
    func index(of token: UInt64) -> Int? {
        let index = Int(truncatingIfNeeded: token & 0xffff_ffff)
        let generation = UInt32(truncatingIfNeeded: token >> 32)
        return index < slots.count && slots[index].generation == generation ? index : nil
    }
}
