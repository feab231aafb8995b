/// The keys of a shard that are asked for most, lately.
///
/// Space-Saving (A. Metwally, D. Agrawal, A. El Abbadi, "Efficient Computation of Frequent and Top-k Elements in Data
/// Streams", ICDT 2005) over one lookup in thirty-two, with counts that are halved from time to time so that yesterday's hot
/// keys fade. It takes a fixed number of 64 keys; a key that makes up more than a 64th of the lookups is among them.
struct HotKeys: Sendable {
    private var hashes: [UInt64] = []
    private var counts: [Int] = []
    private var keys: [Key] = []
    private var samples = 0

    private static let capacity = 64
    private static let sampling = 32

    /// Whether a lookup is counted, decided by a random number.
    static func samples(_ number: UInt64) -> Bool { number & UInt64(sampling - 1) == 0 }

    /// Counts a lookup.
    mutating func count(_ key: RawSpan, hash: UInt64) {
        samples += 1
        if samples.isMultiple(of: 8192) { counts = counts.map { $0 / 2 } }
        if let index = hashes.firstIndex(of: hash) {
            counts[index] += 1
        } else if hashes.count < Self.capacity {
            hashes.append(hash)
            counts.append(1)
            keys.append(Key(copying: key, hash: hash))
        } else if let index = counts.indices.min(by: { counts[$0] < counts[$1] }) {
            // The newcomer inherits the least count: it may have been asked for as often while nobody counted.
            hashes[index] = hash
            counts[index] += 1
            keys[index] = Key(copying: key, hash: hash)
        }
    }

    /// The keys with about how many lookups each had.
    var estimates: [(key: Key, lookups: Int)] {
        zip(keys, counts).map { ($0, $1 * Self.sampling) }
    }
}
