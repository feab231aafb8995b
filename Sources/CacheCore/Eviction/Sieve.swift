/// Entries stand in the order of their arrival; a hit only marks its entry as visited. A hand walks from the oldest to the
/// newest and over again, takes the marks off, and gives up the first entry that has none. So what was asked for stays where
/// it is, among the old ones that the hand has to pass first, and newcomers that nobody asks for go soon.
///
/// SIEVE: Y. Zhang, J. Yang, Y. Yue, Y. Vigfusson, K. V. Rashmi, "SIEVE is Simpler than LRU: an Efficient Turn-Key Eviction
/// Algorithm for Web Caches", NSDI 2024.
struct Sieve: EvictionPolicy {
    private var order = SlotList()
    /// Where the hand stands; none: it begins at the oldest.
    private var hand = SlotIndex.none

    mutating func inserted(_ slot: SlotIndex, hash: UInt64, in slots: borrowing Pages<Slot>) {
        order.push(slot, in: slots)
    }

    mutating func asked(_ slot: SlotIndex, in slots: borrowing Pages<Slot>) {
        slots[Int(slot)].pointee.flags.insert(.visited)
    }

    mutating func removed(_ slot: SlotIndex, hash: UInt64, evicted: Bool, in slots: borrowing Pages<Slot>) {
        if hand == slot { hand = slots[Int(slot)].pointee.newer }
        order.remove(slot, in: slots)
    }

    /// O(n) at worst, but each step takes off a mark that a hit has put there.
    mutating func victim(in slots: borrowing Pages<Slot>) -> SlotIndex? {
        guard order.oldest != .none else { return nil }
        if hand == .none { hand = order.oldest }
        while slots[Int(hand)].pointee.flags.contains(.visited) {
            slots[Int(hand)].pointee.flags.remove(.visited)
            let newer = slots[Int(hand)].pointee.newer
            hand = newer == .none ? order.oldest : newer
        }
        return hand
    }

    func invariantViolations(count: Int, in slots: borrowing Pages<Slot>) -> [String] {
        order.invariantViolations(in: slots) + (order.count == count ? [] : ["\(order.count) in order of \(count)"])
            + (hand == .none || slots[Int(hand)].pointee.record != nil ? [] : ["the hand points to a vacant slot"])
    }
}

extension Slot.Flags {
    /// It was asked for since the hand passed.
    fileprivate static let visited = Slot.Flags(rawValue: 0x10)
}
