/// What happens to an entry.
public enum GroupEvent: Sendable, Hashable, CaseIterable {
    /// It was loaded, or put in, and is in memory now.
    case loaded
    /// It went for time.
    case expired
    /// It went for space.
    case evicted
    /// It went because the source changed, or somebody said so.
    case invalidated
}

/// Names one observer, to end its observation, as with ``Group/removeObserver(_:)``.
public struct Observation: Sendable, Hashable {
    package let id: UInt64

    package init(id: UInt64) {
        self.id = id
    }
}
