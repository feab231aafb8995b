/// A doubly linked list of slots, from the newest to the oldest.
struct SlotList: Sendable {
    private(set) var newest = SlotIndex.none
    private(set) var oldest = SlotIndex.none
    private(set) var count = 0

    /// Adds `slot` at the newest end.
    mutating func push(_ slot: SlotIndex, in slots: borrowing Pages<Slot>) {
        let entry = slots[Int(slot)]
        entry.pointee.newer = .none
        entry.pointee.older = newest
        if newest == .none {
            oldest = slot
        } else {
            slots[Int(newest)].pointee.newer = slot
        }
        newest = slot
        count += 1
    }

    /// Takes `slot` out.
    mutating func remove(_ slot: SlotIndex, in slots: borrowing Pages<Slot>) {
        let entry = slots[Int(slot)].pointee
        if entry.newer == .none {
            newest = entry.older
        } else {
            slots[Int(entry.newer)].pointee.older = entry.older
        }
        if entry.older == .none {
            oldest = entry.newer
        } else {
            slots[Int(entry.older)].pointee.newer = entry.newer
        }
        count -= 1
    }

    /// Makes `slot` the newest.
    mutating func renew(_ slot: SlotIndex, in slots: borrowing Pages<Slot>) {
        guard slot != newest else { return }
        remove(slot, in: slots)
        push(slot, in: slots)
    }

    /// Its broken invariants, in words. For tests. O(n).
    func invariantViolations(in slots: borrowing Pages<Slot>) -> [String] {
        var violations: [String] = []
        var length = 0
        var newer = SlotIndex.none
        var slot = newest
        // One more than there should be is enough to show a cycle.
        while slot != .none, length <= count {
            if slots[Int(slot)].pointee.record == nil { violations.append("vacant slot \(slot) is in a list") }
            if slots[Int(slot)].pointee.newer != newer { violations.append("slot \(slot) has another newer neighbour") }
            newer = slot
            slot = slots[Int(slot)].pointee.older
            length += 1
        }
        if oldest != newer { violations.append("a list ends with \(newer), not \(oldest)") }
        if length != count { violations.append("a list of \(count) has \(length) slots") }
        return violations
    }
}
