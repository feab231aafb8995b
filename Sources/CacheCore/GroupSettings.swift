/// How long a group's entries live and what they may take.
public struct GroupSettings: Sendable {
    /// Never served after this time; nil: no limit. At most 400 days.
    public var timeToLive: Duration? = .seconds(60)
    /// How long "no such row" is believed; zero: it is not kept.
    public var negativeTimeToLive: Duration = .seconds(5)
    /// The most bytes that its entries may take, overhead included.
    public var memory: Int = .max
    /// How long a caller waits for a load.
    public var loadTimeout: Duration = .seconds(2)
    /// The number of shards, a power of two. More let more threads in at once; each costs a few KiB once it holds entries.
    public var shards: Int = 16

    /// The defaults.
    public init() {}
}
