/// Finds an entry's slot by its key's hash: buckets of chained slots that grow one bucket at a time, so that no insertion
/// ever waits for a rehash of everything, and the index takes what its entries need and not up to twice that.
///
/// Linear hashing: W. Litwin, "Linear Hashing: A New Tool for File and Table Addressing", VLDB 1980.
struct HashIndex: ~Copyable {
    /// None while nothing was ever put in.
    private var buckets = Pages<SlotIndex>()
    /// The largest power of two that is not above the number of buckets, once there are any.
    private var level = 1

    /// The first slot of the bucket of `hash`.
    @inline(__always)
    func first(_ hash: UInt64) -> SlotIndex {
        buckets.count == 0 ? .none : buckets[bucket(of: hash)].pointee
    }

    /// Puts `slot` in front of its bucket.
    func insert(_ slot: SlotIndex, hash: UInt64, in slots: borrowing Pages<Slot>) {
        let head = buckets[bucket(of: hash)]
        slots[Int(slot)].pointee.next = head.pointee
        head.pointee = slot
    }

    /// Takes `slot` out of its bucket.
    func remove(_ slot: SlotIndex, hash: UInt64, in slots: borrowing Pages<Slot>) {
        var link = buckets[bucket(of: hash)]
        while link.pointee != .none {
            let current = slots[Int(link.pointee)]
            if link.pointee == slot {
                link.pointee = current.pointee.next
                return
            }
            link = Self.nextLink(of: current)
        }
    }

    /// Adds buckets until there is one for each entry; `hash` tells the hash of a slot's key, if the slot has
    /// not enough bits of it. Returns whether there is a bucket at all: when the system has no memory for more, chains
    /// grow instead.
    mutating func grow(for entries: Int, in slots: borrowing Pages<Slot>, hash: (Slot) -> UInt64) -> Bool {
        while buckets.count < entries, split(in: slots, hash: hash) {}
        return buckets.count > 0
    }

    /// Deals the entries of the next bucket in turn out to itself and a new bucket.
    private mutating func split(in slots: borrowing Pages<Slot>, hash: (Slot) -> UInt64) -> Bool {
        let old = buckets.count - level
        guard buckets.append(.none) else { return false }
        guard old >= 0 else { return true }
        let new = buckets.count - 1
        var moving = buckets[old].pointee
        buckets[old].pointee = .none
        if buckets.count == level * 2 { level *= 2 }
        while moving != .none {
            let slot = slots[Int(moving)]
            let next = slot.pointee.next
            let isLong = level > 1 << (Slot.hashBits - 1)
            let target = buckets[bucket(of: isLong ? hash(slot.pointee) : UInt64(slot.pointee.hash))]
            assert(target == buckets[old] || target == buckets[new])
            slot.pointee.next = target.pointee
            target.pointee = moving
            moving = next
        }
        return true
    }

    @inline(__always)
    private func bucket(of hash: UInt64) -> Int {
        let low = Int(truncatingIfNeeded: hash & 0x7fff_ffff)
        let wide = low & (2 * level - 1)
        return wide < buckets.count ? wide : low & (level - 1)
    }

    private static func nextLink(of slot: UnsafeMutablePointer<Slot>) -> UnsafeMutablePointer<SlotIndex> {
        // The address of a stored property of trivial layout.
        UnsafeMutableRawPointer(slot).advanced(by: MemoryLayout<Slot>.offset(of: \.next) ?? 0)
            .assumingMemoryBound(to: SlotIndex.self)
    }
}
