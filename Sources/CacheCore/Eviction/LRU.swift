/// The entry that has gone longest without being asked for goes first, to a second: one that was moved to the newest end stays
/// where it is for that long. (memcached does so, for a minute.)
struct LRU: EvictionPolicy {
    private var order = SlotList()

    var resolution: Int64 { 1 << 30 }

    mutating func inserted(_ slot: SlotIndex, hash: UInt64, in slots: borrowing Pages<Slot>) {
        order.push(slot, in: slots)
    }

    mutating func asked(_ slot: SlotIndex, in slots: borrowing Pages<Slot>) {
        order.renew(slot, in: slots)
    }

    mutating func removed(_ slot: SlotIndex, hash: UInt64, evicted: Bool, in slots: borrowing Pages<Slot>) {
        order.remove(slot, in: slots)
    }

    mutating func victim(in slots: borrowing Pages<Slot>) -> SlotIndex? {
        order.oldest == .none ? nil : order.oldest
    }

    func invariantViolations(count: Int, in slots: borrowing Pages<Slot>) -> [String] {
        order.invariantViolations(in: slots) + (order.count == count ? [] : ["\(order.count) in order of \(count)"])
    }
}
