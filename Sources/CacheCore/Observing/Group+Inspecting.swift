public import Groundwork

/// What is known of one entry in memory.
public struct EntryInspection: Sendable, Equatable {
    /// The bytes that it takes, overhead included.
    public let bytes: Int
    /// The time since it was last asked for, as exactly as the group notes it.
    public let idle: Duration
    /// About how many lookups it had of late: 0, unless it is among those of ``Group/mostAccessed(_:)``.
    public let lookups: Int
}

extension Group {
    /// Tells about an entry; nil when it is not in memory. Counts as no lookup. One lock.
    public func inspect(_ key: RawSpan, at now: Instant) -> EntryInspection? {
        withShard(of: key) { bytes, hash, _, state -> EntryInspection? in
            guard let place = servable(bytes, hash: hash, at: tick(now), in: &state) else { return nil }
            let slot = state.store.slots[Int(place)].pointee
            guard let record = Record(slot) else { return nil }
            let lookups = state.hotKeys.estimates.first { $0.key.bytes.elementsEqual(bytes) }?.lookups
            return EntryInspection(
                bytes: record.cost + EntryStore.slotCost,
                idle: .nanoseconds(max(0, -nanoseconds(from: now, to: slot.asked))), lookups: lookups ?? 0)
        }
    }
}
