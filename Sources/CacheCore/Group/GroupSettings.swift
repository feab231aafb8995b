/// How long a group's entries live, what they may take, and how much loading may cost the source.
public struct GroupSettings: Sendable, Equatable {
    /// Never served after this time, unless `staleIfError` says so; nil: no limit.
    ///
    /// Times are kept to 17 ms, in a group with a time of more than 208 days to a part in 2^30 of that (half a second for ten
    /// years). 36 years is the longest that can be told.
    public var timeToLive: Duration? = .seconds(60)
    /// From this age on an entry is served at once and reloaded in the background; nil: never.
    public var refreshAfter: Duration?
    /// Whether a hit may reload the entry before its time, the more likely the closer expiry is and the longer the load
    /// took, so that a hot key does not expire at all (XFetch: A. Vattani, F. Chierichetti, K. Lowenstein, "Optimal
    /// Probabilistic Cache Stampede Prevention", VLDB 2015).
    public var earlyRefresh = false
    /// When a load fails, the last value is served up to this long after its time to live; zero: the error goes out.
    public var staleIfError: Duration = .zero
    /// Dropped when not asked for this long (cache2go's life span); nil: never.
    public var idleTimeToLive: Duration?
    /// How long "no such row" is believed; zero: it is not kept.
    public var negativeTimeToLive: Duration = .seconds(5)
    /// Entries live up to this part of their time less, from 0 to 1, so that keys that were loaded together don't expire
    /// together.
    public var jitter: Double = 0
    /// The most bytes that its entries may take, overhead included.
    public var memory: Int = .max
    /// Which entry goes when there is no room.
    public var eviction: Eviction = .lru
    /// How long a caller waits for a load.
    public var loadTimeout: Duration = .seconds(2)
    /// Loads at once at most; more wait their turn.
    public var maxLoads: Int = .max
    /// Loads that wait for their turn at most; more fail at once.
    public var maxQueuedLoads: Int = .max
    /// The number of shards, a power of two. More let more threads in at once; each has some 24 KiB of
    /// pages once it holds entries.
    public var shards: Int = 16

    /// The defaults.
    public init() {}
}
