import CIntrinsics
import Groundwork

/// A key's hash, for callers that ask in two steps. Means something within this process only.
public struct KeyHash: BitwiseCopyable, Sendable {
    let value: UInt64

    /// Hashes `key`.
    public init(_ key: RawSpan) {
        value = key.withUnsafeBytes { EntryStore.hash($0) }
    }
}

/// What a lookup touches, one after the other, each where the one before points to.
public enum LookupStep: Sendable, CaseIterable {
    /// What the shard knows of the entry.
    case slot
    /// The entry's key and value.
    case record
}

extension Group {
    /// Asks the processor to bring what a lookup of this key will touch into its cache, as far as `step`.
    ///
    /// Of many lookups in a row each one waits for main memory two or three times, one after the other. A caller that knows
    /// the next keys does the first step for all of them, then the second, then looks them up: so they wait together. It
    /// changes nothing and counts nothing; one lock.
    @inline(__always)
    public func prefetch(_ hash: KeyHash, _ step: LookupStep) {
        shard(of: hash.value).0.state.withLock { state in
            switch step {
            case .slot: state.store.prefetchSlot(hash.value)
            case .record: state.store.prefetchRecord(hash.value)
            }
        }
    }
}

extension EntryStore {
    func prefetchSlot(_ hash: UInt64) {
        let place = firstSlot(hash)
        if place != .none { pgs_prefetch(slots[Int(place)]) }
    }

    func prefetchRecord(_ hash: UInt64) {
        guard let record = probableRecord(hash) else { return }
        pgs_prefetch(record)
        pgs_prefetch(record + 64)
    }
}
