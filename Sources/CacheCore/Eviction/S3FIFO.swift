/// Three queues, first in first out. Newcomers enter the small one, a tenth of the entries. At its end those that were asked
/// for more than once go on to the main one and the others go, leaving a ghost; what comes back while its ghost is there
/// enters the main queue at once. At the main queue's end an entry that was asked for takes another turn for each time, up
/// to three. A hit moves nothing.
///
/// S3-FIFO: J. Yang, Y. Zhang, Z. Qiu, Y. Yue, K. V. Rashmi, "FIFO Queues are All You Need for Cache Eviction", SOSP 2023.
/// Unlike there, a queue's share is one of entries and not of bytes, and of those in memory now, as a shard has no size.
struct S3FIFO: EvictionPolicy {
    private var small = SlotList()
    private var main = SlotList()
    private var ghosts = Ghosts()
    /// One bit a slot: whether it is in the main queue. An eighth of a byte that `EntryStore.slotCost` has room for, since
    /// it counts four bytes for the index where three do.
    private var inMain: ContiguousArray<UInt64> = []

    var bytes: Int { ghosts.bytes }

    /// The paper's ghost queue has as many entries as the main queue has when memory is full.
    private var ghostLimit: Int {
        let count = small.count + main.count
        return count - count / 10
    }

    mutating func inserted(_ slot: SlotIndex, hash: UInt64, in slots: borrowing Pages<Slot>) {
        if ghosts.take(hash, limit: ghostLimit) {
            enterMain(slot, in: slots)
        } else {
            setInMain(slot, false)
            small.push(slot, in: slots)
        }
    }

    mutating func asked(_ slot: SlotIndex, in slots: borrowing Pages<Slot>) {
        let entry = slots[Int(slot)]
        entry.pointee.frequency = min(entry.pointee.frequency + 1, 3)
    }

    mutating func removed(_ slot: SlotIndex, hash: UInt64, evicted: Bool, in slots: borrowing Pages<Slot>) {
        if isInMain(slot) {
            main.remove(slot, in: slots)
        } else {
            // Only what went for want of space was perhaps given up too soon; an invalid entry's return says nothing.
            if evicted { ghosts.insert(hash, limit: ghostLimit) }
            small.remove(slot, in: slots)
        }
    }

    /// O(n) at worst, but each step moves an entry or takes one from its frequency, which hits have put there.
    mutating func victim(in slots: borrowing Pages<Slot>) -> SlotIndex? {
        if small.count * 10 >= small.count + main.count, let victim = smallVictim(in: slots) { return victim }
        return mainVictim(in: slots)
    }

    /// The oldest of the small queue; those on the way that deserve it go on to the main queue. Nil when all do.
    private mutating func smallVictim(in slots: borrowing Pages<Slot>) -> SlotIndex? {
        while small.oldest != .none {
            let slot = small.oldest
            guard slots[Int(slot)].pointee.frequency > 1 else { return slot }
            small.remove(slot, in: slots)
            slots[Int(slot)].pointee.frequency = 0
            enterMain(slot, in: slots)
        }
        return nil
    }

    private mutating func mainVictim(in slots: borrowing Pages<Slot>) -> SlotIndex? {
        while main.oldest != .none {
            let slot = main.oldest
            let frequency = slots[Int(slot)].pointee.frequency
            guard frequency > 0 else { return slot }
            slots[Int(slot)].pointee.frequency = frequency - 1
            main.renew(slot, in: slots)
        }
        // A main queue that is empty leaves all to the small one, and that has no room below a tenth of itself.
        return nil
    }

    private mutating func enterMain(_ slot: SlotIndex, in slots: borrowing Pages<Slot>) {
        setInMain(slot, true)
        main.push(slot, in: slots)
    }

    private func isInMain(_ slot: SlotIndex) -> Bool {
        inMain[Int(slot) >> 6] & (1 << UInt64(slot & 63)) != 0
    }

    private mutating func setInMain(_ slot: SlotIndex, _ isIn: Bool) {
        let word = Int(slot) >> 6
        while inMain.count <= word { inMain.append(0) }
        let bit: UInt64 = 1 << UInt64(slot & 63)
        if isIn { inMain[word] |= bit } else { inMain[word] &= ~bit }
    }

    func invariantViolations(count: Int, in slots: borrowing Pages<Slot>) -> [String] {
        var violations = small.invariantViolations(in: slots) + main.invariantViolations(in: slots)
        if small.count + main.count != count {
            violations.append("\(small.count) and \(main.count) in order of \(count)")
        }
        var slot = main.newest
        while slot != .none {
            if !isInMain(slot) { violations.append("slot \(slot) does not know that it is in the main queue") }
            slot = slots[Int(slot)].pointee.older
        }
        return violations
    }
}

extension Slot {
    /// How often it was asked for, from 0 to 3.
    fileprivate var frequency: UInt8 {
        get { (flags.rawValue & Flags.policy.rawValue) >> 4 }
        set { flags = Flags(rawValue: flags.rawValue & ~Flags.policy.rawValue | newValue << 4) }
    }
}
