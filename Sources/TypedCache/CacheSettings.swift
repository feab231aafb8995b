public import CacheCore
public import Logging

/// How long the entries of a ``LoadingCache`` live, what they may cost together, and how much loading may cost the source.
///
/// What is named as in `CacheCore.GroupSettings` means the same.
public struct CacheSettings: Sendable {
    /// What all entries may cost together; with the default cost of 1 for each, how many there may be. A value that costs
    /// more than this is delivered and not kept.
    public var capacity = 10_000
    /// Never served after this time, unless `staleIfError` says so; nil: no limit.
    public var timeToLive: Duration? = .seconds(60)
    /// Dropped when not asked for this long; nil: never.
    public var idleTimeToLive: Duration?
    /// How long "there is none" is believed; zero: it is not kept.
    public var negativeTimeToLive: Duration = .seconds(5)
    /// From this age on an entry is served at once and reloaded in the background; nil: never.
    public var refreshAfter: Duration?
    /// Whether a hit may reload the entry before its time, the more likely the closer its end is and the longer the load took
    /// (XFetch: A. Vattani, F. Chierichetti, K. Lowenstein, "Optimal Probabilistic Cache Stampede Prevention", VLDB 2015).
    public var earlyRefresh = false
    /// When a load fails, the last value is served up to this long after its time to live; zero: the error goes out.
    public var staleIfError: Duration = .zero
    /// Entries live up to this part of their time less, from 0 to 1, so that keys that were loaded together don't expire
    /// together.
    public var jitter: Double = 0
    /// How long a load may take. One that takes longer is cancelled, and what it brings is dropped; nil: no limit. (How long
    /// a single caller waits is its own task's business: a cancelled caller returns at once.)
    public var loadTimeout: Duration?
    /// Loads at once at most; more wait their turn.
    public var maxLoads: Int = .max
    /// Loads that wait for their turn at most; more fail at once.
    public var maxQueuedLoads: Int = .max
    /// The number of parts that callers don't wait for one another in; nil: as `capacity` suggests. Entries are evicted in the
    /// exact order of their last use within a part, and nearly so over all.
    public var shards: Int?
    /// Stops loads while the source is silent; caches and groups of one source share one. A getter tells that its source
    /// is silent by throwing a `LoadError` with the code `unavailable`; whatever else it throws counts as an answer.
    public var breaker: CircuitBreaker?
    /// Told of failed loads and expired entries at `debug`, and of each entry that comes or goes at `trace`. Never of keys
    /// and values.
    public var logger: Logger?

    /// The defaults.
    public init() {}
}

/// How long one entry lives, in place of the cache's own rule.
public struct Lifespan: Sendable, Hashable {
    /// Never served after this time; nil: no limit.
    public var timeToLive: Duration?
    /// Dropped when not asked for this long; nil: never.
    public var idleTimeToLive: Duration?

    /// A life span; one with neither time has no end.
    public init(timeToLive: Duration? = nil, idleTimeToLive: Duration? = nil) {
        self.timeToLive = timeToLive
        self.idleTimeToLive = idleTimeToLive
    }

    /// It stays until it is removed or evicted.
    public static let unlimited = Lifespan()
}
