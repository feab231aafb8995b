/// The holes that the keys of one request have left so far: a key that is named again takes the hole that is there.
///
/// An open hash table. The hashes are made of those that lookups go by, which are seeded: no one can choose keys that fall
/// together.
struct HolesByKey {
    private struct Entry {
        let hash: UInt64
        /// Where the request names the key.
        let argument: Int
        let hole: Hole
    }

    private var entries: [Entry] = []
    /// Indices of entries, or -1; half of it at least is empty. Its size is a power of two, or 0 while there are none.
    private var slots: [Int32] = []

    /// Whether no key has left one: as long as all come from memory.
    var isEmpty: Bool { entries.isEmpty }

    /// The hole of a key with this hash; `isSame` tells whether an argument of the request is that key. O(1).
    func hole(_ hash: UInt64, isSame: (_ argument: Int) -> Bool) -> Hole? {
        guard !isEmpty else { return nil }
        var slot = first(for: hash)
        while slots[slot] >= 0 {
            let index = Int(slots[slot])
            if entries[index].hash == hash, isSame(entries[index].argument) { return entries[index].hole }
            slot = next(behind: slot)
        }
        return nil
    }

    /// Adds the hole of a key that has none yet. O(1) on average.
    mutating func insert(_ hole: Hole, _ hash: UInt64, argument: Int) {
        entries.append(Entry(hash: hash, argument: argument, hole: hole))
        if entries.count * 2 <= slots.count { return place(entries.count - 1) }
        slots = Array(repeating: -1, count: max(128, slots.count * 2))
        for index in entries.indices { place(index) }
    }

    private mutating func place(_ index: Int) {
        var slot = first(for: entries[index].hash)
        while slots[slot] >= 0 { slot = next(behind: slot) }
        slots[slot] = Int32(truncatingIfNeeded: index)
    }

    private func first(for hash: UInt64) -> Int { Int(truncatingIfNeeded: hash) & (slots.count - 1) }
    private func next(behind slot: Int) -> Int { (slot + 1) & (slots.count - 1) }
}
