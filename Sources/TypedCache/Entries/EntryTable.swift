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
    @usableFromInline typealias Place = Int

    @usableFromInline var index: [HashedKey<Key>: Place] = [:]
    /// Nil: vacant. Apart from the slots, as a hit writes to those and only reads here.
    @usableFromInline var contents: ContiguousArray<Content<Key, Value>?> = []
    @usableFromInline var slots: ContiguousArray<Slot> = []
    private var vacant: ContiguousArray<Place> = []
    @usableFromInline var newest: Place = -1
    @usableFromInline var oldest: Place = -1
    /// For each page of slots a time before which none of its entries leaves.
    private var dues: ContiguousArray<Int64> = []
    private static var pageLength: Int { 64 }

    /// What the entries cost.
    private(set) var cost = 0
    /// Those that leave at some time.
    private(set) var expiringCount = 0
    var count: Int { index.count }
    var pageCount: Int { dues.count }

    init() {}

    @inlinable
    func find(_ key: HashedKey<Key>) -> Place? { index[key] }

    /// Notes that an entry was asked for.
    @inlinable
    mutating func ask(_ place: Place, at now: Int64) {
        slots[place].accessed = now
        slots[place].accesses &+= 1
        guard newest != place else { return }
        unlink(place)
        link(place)
    }

    /// Puts an entry in, in place of the one that is there, whose content is returned.
    mutating func put(_ content: Content<Key, Value>, _ slot: Slot) -> Content<Key, Value>? {
        if let place = index[content.key] {
            let old = contents[place]
            unlink(place)
            cost -= slots[place].cost
            if slots[place].isExpiring { expiringCount -= 1 }
            contents[place] = content
            settle(place, slot)
            return old
        }
        let place: Place
        if let free = vacant.popLast() {
            place = free
            contents[place] = content
        } else {
            place = contents.count
            contents.append(content)
            slots.append(Slot())
            if place.isMultiple(of: Self.pageLength) { dues.append(.max) }
        }
        index[content.key] = place
        settle(place, slot)
        return nil
    }

    private mutating func settle(_ place: Place, _ slot: Slot) {
        slots[place] = slot
        cost += slot.cost
        if slot.isExpiring { expiringCount += 1 }
        link(place)
        let page = place / Self.pageLength
        dues[page] = min(dues[page], slot.end)
    }

    /// Takes an entry out.
    mutating func remove(_ place: Place) -> Content<Key, Value>? {
        guard let content = contents[place] else { return nil }
        contents[place] = nil
        unlink(place)
        cost -= slots[place].cost
        if slots[place].isExpiring { expiringCount -= 1 }
        index[content.key] = nil
        vacant.append(place)
        return content
    }

    /// Takes out the entries of a page that have left by `now`, if one can be due. O(entries of a page).
    mutating func sweep(page: Int, at now: Int64, _ body: (Content<Key, Value>) -> Void) {
        guard dues[page] <= now else { return }
        let first = page * Self.pageLength
        var due = Int64.max
        for place in first..<min(first + Self.pageLength, slots.count) where contents[place] != nil {
            let end = slots[place].end
            if end > now {
                due = min(due, end)
            } else if let content = remove(place) {
                body(content)
            }
        }
        dues[page] = due
    }

    /// A time before which no entry leaves. O(pages).
    var earliestEnd: Int64 { dues.min() ?? .max }

    // MARK: The order of last use

    @inlinable
    mutating func link(_ place: Place) {
        slots[place].newer = -1
        slots[place].older = newest
        if newest < 0 { oldest = place } else { slots[newest].newer = place }
        newest = place
    }

    @inlinable
    mutating func unlink(_ place: Place) {
        let (newer, older) = (slots[place].newer, slots[place].older)
        if newer < 0 { newest = older } else { slots[newer].older = older }
        if older < 0 { oldest = newer } else { slots[older].newer = newer }
    }

    /// What does not fit together in it, in words. For tests. O(n).
    func invariantViolations() -> [String] {
        var violations: [String] = []
        var (place, previous, sum, length) = (newest, -1, 0, 0)
        while place >= 0, length <= count {
            if let content = contents[place], index[content.key] != place {
                violations.append("slot \(place) is not found by its key")
            }
            if contents[place] == nil { violations.append("slot \(place) is vacant and in order") }
            if slots[place].newer != previous { violations.append("slot \(place) has another neighbour") }
            if slots[place].end < dues[place / Self.pageLength] { violations.append("slot \(place) is due too late") }
            sum += slots[place].cost
            length += 1
            (place, previous) = (slots[place].older, place)
        }
        if previous != oldest { violations.append("the oldest is not last in order") }
        if length != count { violations.append("\(length) in order of \(count)") }
        if sum != cost { violations.append("entries cost \(sum), the table says \(cost)") }
        if vacant.count + count != slots.count { violations.append("\(vacant.count) vacant of \(slots.count)") }
        return violations
    }
}
