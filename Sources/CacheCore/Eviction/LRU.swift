/// The entry that was not asked for the longest goes first.
struct LRU: EvictionPolicy {
    private var order = SlotList()

    mutating func inserted(_ slot: SlotIndex, in slots: borrowing Pages<Slot>) {
        order.push(slot, in: slots)
    }

    mutating func asked(_ slot: SlotIndex, in slots: borrowing Pages<Slot>) {
        order.renew(slot, in: slots)
    }

    mutating func removed(_ slot: SlotIndex, in slots: borrowing Pages<Slot>) {
        order.remove(slot, in: slots)
    }

    mutating func victim(in slots: borrowing Pages<Slot>) -> SlotIndex? {
        order.oldest == .none ? nil : order.oldest
    }
}
