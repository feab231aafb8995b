public import Groundwork

/// Up to where the changes of the database have been applied to the groups: what a server asks for a client that wants to
/// read its own writes. A position is one in the database's log, as a number.
public struct AppliedChanges: Sendable {
    /// Reads a position as the database writes it; nil: the text is none.
    public var position: @Sendable (String) -> UInt64?
    /// Whether all that was committed up to a position is applied, as far as is known at once. Any thread.
    public var hasApplied: @Sendable (UInt64) -> Bool
    /// Calls back once, on any thread: with true as soon as all that was committed up to the position is applied, with false
    /// when that can't be known, or is not so by the deadline.
    public var whenApplied: @Sendable (UInt64, _ by: Instant, _ done: @escaping @Sendable (Bool) -> Void) -> Void

    /// Bundles what knows of changes.
    public init(
        position: @escaping @Sendable (String) -> UInt64?,
        hasApplied: @escaping @Sendable (UInt64) -> Bool = { _ in false },
        whenApplied: @escaping @Sendable (UInt64, Instant, @escaping @Sendable (Bool) -> Void) -> Void = { $2(false) }
    ) {
        self.position = position
        self.hasApplied = hasApplied
        self.whenApplied = whenApplied
    }

    /// Nothing tells of changes, and no text is a position.
    public static let none = AppliedChanges(position: { _ in nil })
}
