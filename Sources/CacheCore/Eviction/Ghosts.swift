/// Remembers the last keys that were evicted by 32 bits of their hashes: a queue, first in first out, in which one can look
/// up.
///
/// Eight of them to a cache line, each with the time of its arrival. A key's hash tells its line, where it takes the place of
/// the oldest; so a line that more keys than usual fall to forgets one somewhat early. Two keys that look alike are taken
/// for one. Neither does more harm than an entry in the wrong queue. (After section 4.1 of the S3-FIFO paper, SOSP 2023.)
struct Ghosts: Sendable {
    private struct Ghost: BitwiseCopyable {
        var fingerprint: UInt32 = 0
        /// How many had come before it.
        var arrival: UInt32 = 0
    }

    private static let lineLength = 8
    /// Below this limit none are remembered, so that making room by evicting always makes some.
    private static let leastLimit = 16

    private var ghosts: ContiguousArray<Ghost> = []
    /// Wraps; a ghost older than 2^32 others looks young again, if none has taken its place by then.
    private var arrivals: UInt32 = 0

    /// What it takes from the heap.
    var bytes: Int { ghosts.isEmpty ? 0 : ghosts.count * MemoryLayout<Ghost>.stride + 32 }

    /// Adds the key of `hash`, when the last `limit` are to be remembered.
    mutating func insert(_ hash: UInt64, limit: Int) {
        fit(limit)
        guard !ghosts.isEmpty else { return }
        let line = line(of: hash)
        // The oldest; one that was never taken is older than all.
        let index = line.max { age(ghosts[$0]) < age(ghosts[$1]) } ?? line.lowerBound
        arrivals &+= 1
        ghosts[index] = Ghost(fingerprint: UInt32(truncatingIfNeeded: hash), arrival: arrivals)
    }

    /// Whether the key of `hash` is among the last `limit` that were added; it is forgotten by that.
    mutating func take(_ hash: UInt64, limit: Int) -> Bool {
        guard !ghosts.isEmpty else { return false }
        let fingerprint = UInt32(truncatingIfNeeded: hash)
        let index = line(of: hash).first {
            ghosts[$0].fingerprint == fingerprint && ghosts[$0].arrival != 0 && age(ghosts[$0]) < limit
        }
        guard let index else { return false }
        ghosts[index] = Ghost()
        return true
    }

    private func age(_ ghost: Ghost) -> Int {
        ghost.arrival == 0 ? .max : Int(arrivals &- ghost.arrival)
    }

    /// Eight neighbours, chosen by other bits than the fingerprint's.
    private func line(of hash: UInt64) -> Range<Int> {
        let lines = ghosts.count / Self.lineLength
        let first = (Int(truncatingIfNeeded: hash >> 32) & (lines - 1)) * Self.lineLength
        return first..<first + Self.lineLength
    }

    /// Makes the size, a power of two, fit the limit. All ghosts are forgotten when it changes, which is once for each
    /// doubling of the entries, rather than moved while a lock is held.
    private mutating func fit(_ limit: Int) {
        guard limit > ghosts.count || limit < ghosts.count / 4 else { return }
        var size = 0
        if limit >= Self.leastLimit {
            size = Self.leastLimit
            while size < limit { size *= 2 }
        }
        guard size != ghosts.count else { return }
        ghosts = ContiguousArray(repeating: Ghost(), count: size)
    }
}
