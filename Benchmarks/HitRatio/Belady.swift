import HeapModule

extension Trace {
    /// The hits that no policy can exceed with room for `capacity` entries: out goes what is asked for the latest, be it the
    /// newcomer (L. Belady, "A Study of Replacement Algorithms for a Virtual-Storage Computer", IBM Systems Journal 1966).
    func optimalHits(capacity: Int) -> Int {
        let nextUses = nextUses()
        // An entry stands here for when it is asked for next, which is a different time for each.
        var cached = Heap<Int>()
        var hits = 0
        for (now, nextUse) in nextUses.enumerated() {
            if cached.min == now {
                cached.removeMin()
                hits += 1
            }
            guard nextUse != .max else { continue }
            cached.insert(nextUse)
            if cached.count > capacity { cached.removeMax() }
        }
        return hits
    }

    /// For each index in the trace the next one with the same key; `.max`: none.
    private func nextUses() -> [Int] {
        var next: [Int: Int] = [:]
        var uses = [Int](repeating: .max, count: keys.count)
        for index in keys.indices.reversed() {
            uses[index] = next[keys[index]] ?? .max
            next[keys[index]] = index
        }
        return uses
    }
}
