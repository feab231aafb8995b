/// Decides which entry goes when there is no room. It orders slots by the two links that each slot has for it, and is told
/// of everything that matters under the shard's lock; each call is O(1).
protocol EvictionPolicy: Sendable {
    /// An entry came in.
    mutating func inserted(_ slot: SlotIndex, in slots: borrowing Pages<Slot>)
    /// An entry was asked for.
    mutating func asked(_ slot: SlotIndex, in slots: borrowing Pages<Slot>)
    /// An entry is about to go, for whatever reason.
    mutating func removed(_ slot: SlotIndex, in slots: borrowing Pages<Slot>)
    /// The entry that should go next; it stays until ``removed(_:in:)``.
    mutating func victim(in slots: borrowing Pages<Slot>) -> SlotIndex?
}
