/// Decides which entry goes when there is no room. It orders slots by the two links that each slot has for it, marks them
/// with ``Slot/Flags/policy``, and is told of everything that matters under the shard's lock. Each call is O(1), for
/// ``victim(in:)`` on average.
protocol EvictionPolicy: Sendable {
    /// Bytes that it takes from the heap. They change in ``removed(_:hash:evicted:in:)`` only, so that an entry coming in
    /// never takes more than was reserved for it.
    var bytes: Int { get }

    /// Asks for one entry that follow one another in less time, in nanoseconds, change nothing. It keeps hot entries from
    /// being moved about in memory at each hit.
    var resolution: Int64 { get }

    /// An entry came in; `hash` is that of its key. Its slot has no mark yet.
    mutating func inserted(_ slot: SlotIndex, hash: UInt64, in slots: borrowing Pages<Slot>)
    /// An entry was asked for.
    mutating func asked(_ slot: SlotIndex, in slots: borrowing Pages<Slot>)
    /// An entry is about to go: for space, as this policy's victim, if `evicted`, or for any other reason.
    mutating func removed(_ slot: SlotIndex, hash: UInt64, evicted: Bool, in slots: borrowing Pages<Slot>)
    /// The entry that should go next. It stays until ``removed(_:hash:evicted:in:)``, and need not go.
    mutating func victim(in slots: borrowing Pages<Slot>) -> SlotIndex?

    /// Its broken invariants when it orders `count` entries, in words. For tests. O(n).
    func invariantViolations(count: Int, in slots: borrowing Pages<Slot>) -> [String]
}

extension EvictionPolicy {
    /// A policy that remembers nothing but what slots have room for.
    var bytes: Int { 0 }

    /// Each ask counts.
    var resolution: Int64 { 0 }
}
