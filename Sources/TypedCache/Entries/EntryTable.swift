/// What an entry holds.
@usableFromInline
struct Content<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    @usableFromInline let key: HashedKey<Key>
    /// Nil: the source has none.
    @usableFromInline let value: Value?
    let onExpiry: (@Sendable (Value) -> Void)?

    init(key: HashedKey<Key>, value: Value?, onExpiry: (@Sendable (Value) -> Void)?) {
        self.key = key
        self.value = value
        self.onExpiry = onExpiry
    }
}

/// Entries by key, in the order of their last use. No lock, no clock, no decisions; each call is O(1) but for those that say
/// so. Whoever takes an entry out gets its content, and drops it outside the lock: values may do anything as they go.
@usableFromInline
struct EntryTable<Key: Hashable & Sendable, Value: Sendable>: ~Copyable {
    @usableFromInline typealias SlotIndex = Int

    @usableFromInline var indices: [HashedKey<Key>: SlotIndex] = [:]
    /// Nil: vacant. Apart from the slots, as a hit writes to those and only reads here.
    @usableFromInline var contents: ContiguousArray<Content<Key, Value>?> = []
    @usableFromInline var slots: ContiguousArray<Slot> = []
    private var vacant: ContiguousArray<SlotIndex> = []
    @usableFromInline var newest: SlotIndex = -1
    @usableFromInline var oldest: SlotIndex = -1
    /// For each page of slots a time before which none of its entries leaves.
    private var dues: ContiguousArray<Int64> = []
    private static var pageLength: Int { 64 }

    /// What the entries cost.
    private(set) var cost = 0
    /// Those that leave at some time.
    private(set) var expiringCount = 0
    var count: Int { indices.count }
    var pageCount: Int { dues.count }

    init() {}

    @inlinable
    func find(_ key: HashedKey<Key>) -> SlotIndex? { indices[key] }

    /// Notes that an entry was asked for.
    @inlinable
    mutating func ask(_ index: SlotIndex, at now: Int64) {
        slots[index].accessed = now
        slots[index].accesses &+= 1
        guard newest != index else { return }
        unlink(index)
        link(index)
    }

    /// Puts an entry in, in place of the one that is there, whose content is returned.
    mutating func put(_ content: Content<Key, Value>, _ slot: Slot) -> Content<Key, Value>? {
        if let index = indices[content.key] {
            let old = contents[index]
            unlink(index)
            cost -= slots[index].cost
            if slots[index].isExpiring { expiringCount -= 1 }
            contents[index] = content
            settle(index, slot)
            return old
        }
        let index: SlotIndex
        if let free = vacant.popLast() {
            index = free
            contents[index] = content
        } else {
            index = contents.count
            contents.append(content)
            slots.append(Slot())
            if index.isMultiple(of: Self.pageLength) { dues.append(.max) }
        }
        indices[content.key] = index
        settle(index, slot)
        return nil
    }

    private mutating func settle(_ index: SlotIndex, _ slot: Slot) {
        slots[index] = slot
        cost += slot.cost
        if slot.isExpiring { expiringCount += 1 }
        link(index)
        let page = index / Self.pageLength
        dues[page] = min(dues[page], slot.end)
    }

    /// Takes an entry out.
    mutating func remove(_ index: SlotIndex) -> Content<Key, Value>? {
        guard let content = contents[index] else { return nil }
        contents[index] = nil
        unlink(index)
        cost -= slots[index].cost
        if slots[index].isExpiring { expiringCount -= 1 }
        indices[content.key] = nil
        vacant.append(index)
        return content
    }

    /// Takes out the entries of a page that have left by `now`, if one can be due. O(entries of a page).
    mutating func sweep(page: Int, at now: Int64, _ body: (Content<Key, Value>) -> Void) {
        guard dues[page] <= now else { return }
        let first = page * Self.pageLength
        var due = Int64.max
        for index in first..<min(first + Self.pageLength, slots.count) where contents[index] != nil {
            let end = slots[index].end
            if end > now {
                due = min(due, end)
            } else if let content = remove(index) {
                body(content)
            }
        }
        dues[page] = due
    }

    /// A time before which no entry leaves. O(pages).
    var earliestEnd: Int64 { dues.min() ?? .max }

    // MARK: The order of last use

    @inlinable
    mutating func link(_ index: SlotIndex) {
        slots[index].newer = -1
        slots[index].older = newest
        if newest < 0 { oldest = index } else { slots[newest].newer = index }
        newest = index
    }

    @inlinable
    mutating func unlink(_ index: SlotIndex) {
        let (newer, older) = (slots[index].newer, slots[index].older)
        if newer < 0 { newest = older } else { slots[newer].older = older }
        if older < 0 { oldest = newer } else { slots[older].newer = newer }
    }

    /// Its broken invariants, in words. For tests. O(n).
    func invariantViolations() -> [String] {
        var violations: [String] = []
        var (index, previous, sum, length) = (newest, -1, 0, 0)
        while index >= 0, length <= count {
            if let content = contents[index], indices[content.key] != index {
                violations.append("slot \(index) is not found by its key")
            }
            if contents[index] == nil { violations.append("slot \(index) is vacant and in order") }
            if slots[index].newer != previous { violations.append("slot \(index) has another neighbour") }
            if slots[index].end < dues[index / Self.pageLength] { violations.append("slot \(index) is due too late") }
            sum += slots[index].cost
            length += 1
            (index, previous) = (slots[index].older, index)
        }
        if previous != oldest { violations.append("the oldest is not last in order") }
        if length != count { violations.append("\(length) in order of \(count)") }
        if sum != cost { violations.append("entries cost \(sum), the table says \(cost)") }
        if vacant.count + count != slots.count { violations.append("\(vacant.count) vacant of \(slots.count)") }
        return violations
    }
}
