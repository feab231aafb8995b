import CIntrinsics

/// Unsafe because it names addresses to the processor, which does not access them: a wrong one costs time.
extension EntryStore {
    func prefetchSlot(_ hash: UInt64) {
        let first = hashIndex.first(hash)
        if first != .none { pgs_prefetch(slots[Int(first)]) }
    }

    @inline(__always)
    static func prefetchValue(_ slot: Slot) {
        if let record = slot.record { pgs_prefetch(record + 64) }
    }

    func prefetchRecord(_ hash: UInt64) {
        guard let record = probableRecord(hash) else { return }
        pgs_prefetch(record)
        pgs_prefetch(record + 64)
    }
}
