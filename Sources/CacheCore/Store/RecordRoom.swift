/// Where one store's records are: the short ones in short pages, the long ones in long pages.
struct RecordRoom: ~Copyable {
    private var short = RecordPages.short()
    private var long = RecordPages.long()

    /// Room for `size` bytes, its header written; nil when the system has no memory. The address is a multiple of four.
    mutating func allocate(_ size: Int, keyLength: Int, for slot: SlotIndex) -> UnsafeMutableRawPointer? {
        size > RecordPages.shortLimit
            ? long.allocate(size, keyLength: keyLength, for: slot)
            : short.allocate(size, keyLength: keyLength, for: slot)
    }

    /// Gives a record's room back. The address in its slot must be another by now. Moves other records.
    mutating func release(_ record: UnsafeMutableRawPointer, in slots: borrowing Pages<Slot>) {
        if Int(RecordHeader(record).size) > RecordPages.shortLimit {
            long.release(record, in: slots)
        } else {
            short.release(record, in: slots)
        }
    }

    /// Bytes of all pages.
    var pageBytes: Int { short.pageBytes + long.pageBytes }

    /// Its broken invariants, in words; empty when all hold. For tests. O(n).
    func invariantViolations(in slots: borrowing Pages<Slot>) -> [String] {
        short.invariantViolations(in: slots) + long.invariantViolations(in: slots)
    }
}
