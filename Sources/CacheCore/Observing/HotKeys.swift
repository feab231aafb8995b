/// The keys of a shard that are asked for most, lately.
///
/// Space-Saving (A. Metwally, D. Agrawal, A. El Abbadi, "Efficient Computation of Frequent and Top-k Elements in Data
/// Streams", ICDT 2005) over one lookup in thirty-two, with counts that are halved from time to time so that yesterday's hot
/// keys fade. It takes a fixed 64 places; a key that makes up more than a 64th of the lookups is among them.
struct HotKeys: Sendable {
    private var hashes: [UInt64] = []
    private var counts: [Int] = []
    private var keys: [Key] = []
    private var samples = 0

    private static let places = 64
    private static let sampling = 32

    /// Whether a lookup is counted, decided by a random number.
    static func samples(_ number: UInt64) -> Bool { number & UInt64(sampling - 1) == 0 }

    /// Counts a lookup.
    mutating func count(_ key: UnsafeRawBufferPointer, hash: UInt64) {
        samples += 1
        if samples.isMultiple(of: 8192) { counts = counts.map { $0 / 2 } }
        if let place = hashes.firstIndex(of: hash) {
            counts[place] += 1
        } else if hashes.count < Self.places {
            hashes.append(hash)
            counts.append(1)
            keys.append(Key(Array(key)))
        } else if let place = counts.indices.min(by: { counts[$0] < counts[$1] }) {
            // The newcomer inherits the least count: it may have been asked for as often while nobody counted.
            hashes[place] = hash
            counts[place] += 1
            keys[place] = Key(Array(key))
        }
    }

    /// The keys with about how many lookups each had.
    var estimates: [(key: Key, lookups: Int)] {
        zip(keys, counts).map { ($0, $1 * Self.sampling) }
    }
}
