import CIntrinsics

/// Unsafe because it names addresses to the processor, which does not access them: a wrong one costs time.
extension EntryStore {
    func prefetchSlot(_ hash: UInt64) {
        let first = hashIndex.first(hash)
        if first != .none { pgs_prefetch(slots[Int(first)]) }
    }

    func prefetchRecord(_ hash: UInt64) {
        guard let record = probableRecord(hash) else { return }
        pgs_prefetch(record)
        pgs_prefetch(record + 64)
    }
}
