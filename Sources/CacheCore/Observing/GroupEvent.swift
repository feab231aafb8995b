/// What happens to an entry.
public enum GroupEvent: Sendable, Hashable, CaseIterable {
    /// It was loaded, or put in, and is in memory now.
    case loaded
    /// A load brought another value than the one in memory, whose place it took; `loaded` follows. (A long value counts as
    /// another one: under the lock only short ones are compared.)
    case replaced
    /// A load's value went to those who waited and is not in memory: its key was invalidated meanwhile, or it may not be
    /// kept.
    case unkept
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
