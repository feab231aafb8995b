public import Groundwork
public import Postgres

/// How a ``ChangeStream`` stands, and what it did since its start.
public struct StreamStatus: Sendable {
    /// Whether all changes are heard of.
    public enum State: String, Sendable {
        /// What the stream tells is all there is.
        case live
        /// Nobody knows what changed meanwhile.
        case suspect
    }

    /// Whether all changes are heard of.
    public internal(set) var state = State.suspect {
        didSet { wasLive = wasLive || state == .live }
    }
    /// Whether they ever were.
    public private(set) var wasLive = false
    /// Since when.
    public internal(set) var since = Instant.now()
    /// How often the stream was lost, or could not be had at the start.
    public internal(set) var losses = 0
    /// Why it was lost, or could not be had, the last time. For the operator: may name hosts and users.
    public internal(set) var lastLoss: String?
    /// All that was committed up to it was applied.
    public internal(set) var applied = LogPosition.none
    /// How far it was behind the end of the log at the last sign of life, in bytes; nil for sources that don't read the log.
    public internal(set) var lag: UInt64?
    /// How many transactions, heard of by then, the loads did not see yet.
    public internal(set) var held: Int?
    /// How long the last sign of life took to come after it was asked for.
    public internal(set) var delay: Duration?
    /// Changes that could not be read, so that everything was flushed.
    public internal(set) var misread = 0
    /// Messages that came over the stream and were not from a trigger.
    public internal(set) var misheard = 0
    /// The groups of whose tables the stream does not tell all.
    public internal(set) var refusedGroups: [String] = []
    /// What was applied.
    public internal(set) var counters = ChangeCounters()
}

/// What a ``ChangeStream`` applied.
public struct ChangeCounters: Sendable, Equatable {
    /// Changes of tables.
    public internal(set) var changes = 0
    /// Keys that they made stale, whether they were in memory or not.
    public internal(set) var keys = 0
    /// How often they made a group stale as a whole.
    public internal(set) var flushes = 0
}
