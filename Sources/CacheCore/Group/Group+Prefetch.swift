/// A key's hash, for callers that ask in two steps. Means something within this process only.
package struct KeyHash: BitwiseCopyable, Sendable {
    /// Seeded, and every bit as good as another.
    package let value: UInt64

    /// Hashes `key`.
    package init(_ key: RawSpan) {
        value = EntryStore.hash(key)
    }

    /// That of a key that knows it.
    package init(_ key: Key) {
        value = key.hash
    }
}

/// What a lookup touches, one after the other, each where the one before points to.
package enum LookupStep: Sendable {
    /// What the shard knows of the entry.
    case slot
    /// The entry's key and value.
    case record
}

extension Group {
    /// Asks the processor to bring what lookups of some keys will touch into its cache, as far as `step`; `hash` tells the
    /// hash of the key at an index.
    ///
    /// Of many lookups in a row each one waits for main memory two or three times, one after the other. A caller that knows
    /// the next keys does the first step for all of them, then the second, then looks them up: so they wait together. It
    /// changes nothing and counts nothing; one lock for each run of keys in one shard.
    @inline(__always)
    package func prefetch(_ indices: Range<Int>, _ step: LookupStep, hash: (Int) -> KeyHash) {
        var next = indices.lowerBound
        while next < indices.upperBound {
            let first = hash(next).value
            withShard(of: first) { _, state in
                var hashValue = first
                repeat {
                    switch step {
                    case .slot: state.store.prefetchSlot(hashValue)
                    case .record: state.store.prefetchRecord(hashValue)
                    }
                    next += 1
                    if next < indices.upperBound { hashValue = hash(next).value }
                } while next < indices.upperBound && shardNumber(of: hashValue) == shardNumber(of: first)
            }
        }
    }
}
