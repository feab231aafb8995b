import CacheCore
import Groundwork

/// Which clients of one loop have read which keys of one group, and so may keep them in caches of their own.
struct Readings: Sendable {
    /// One client and the text that it asked with.
    struct Reading: Hashable, Sendable {
        let client: Int
        let text: [UInt8]

        /// About how many bytes it takes.
        var cost: Int { 96 + text.count }
    }

    private struct Entry: Sendable {
        let key: Key
        var readings: Swift.Set<Reading>

        var cost: Int { readings.reduce(160 + key.bytes.count) { $0 + $1.cost } }
    }

    /// In an array, so that one can be drawn at random.
    private var entries: ContiguousArray<Entry> = []
    private var indices: [Key: Int] = [:]
    /// About how many bytes all of it takes.
    private(set) var byteCount = 0

    /// The number of keys.
    var count: Int { entries.count }
    /// The number of pairs of a key and a client.
    private(set) var readingCount = 0
    /// The clients, and how many readings each has.
    private var readingsByClient: [Int: Int] = [:]
    /// All clients that have read something.
    var clients: some Sequence<Int> { readingsByClient.keys }
    /// The readings of all keys.
    var all: [Reading] { entries.flatMap(\.readings) }

    /// Notes that a client has read a key. O(1).
    mutating func insert(_ reading: Reading, of key: Key) {
        if let index = indices[key] {
            guard entries[index].readings.insert(reading).inserted else { return }
            byteCount += reading.cost
        } else {
            indices[key] = entries.count
            entries.append(Entry(key: key, readings: [reading]))
            byteCount += entries[entries.count - 1].cost
        }
        readingCount += 1
        readingsByClient[reading.client, default: 0] += 1
    }

    /// Removes a key, and returns who has read it. O(1).
    mutating func remove(_ key: Key) -> Swift.Set<Reading> {
        guard let index = indices.removeValue(forKey: key) else { return [] }
        return removeEntry(at: index)
    }

    /// Removes a key drawn at random, and returns who has read it. O(1).
    mutating func removeAny(_ random: inout SplitMix64) -> Swift.Set<Reading> {
        guard !entries.isEmpty else { return [] }
        let index = Int.random(in: 0..<entries.count, using: &random)
        indices[entries[index].key] = nil
        return removeEntry(at: index)
    }

    private mutating func removeEntry(at index: Int) -> Swift.Set<Reading> {
        entries.swapAt(index, entries.count - 1)
        let entry = entries.removeLast()
        if index < entries.count { indices[entries[index].key] = index }
        byteCount -= entry.cost
        readingCount -= entry.readings.count
        for reading in entry.readings { readingsByClient.countDown(reading.client) }
        return entry.readings
    }
}
