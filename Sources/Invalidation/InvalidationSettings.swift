public import Groundwork

/// How pgsidecar hears of changes in the database.
public struct InvalidationSettings: Sendable, Equatable {
    /// What tells of changes.
    public enum Source: String, Sendable, Equatable, CaseIterable {
        /// Nothing: entries go by their times alone.
        case none
        /// Triggers that send a NOTIFY.
        case notify
        /// The write-ahead log, decoded by pgoutput.
        case logical
    }

    /// What becomes of the groups concerned while nobody tells of changes.
    public enum OnStreamLoss: String, Sendable, Equatable, CaseIterable {
        /// Their entries go, and nothing is stored until the stream is back.
        case flush
        /// They go on, each entry for its time to live.
        case serveUntilTTL = "serve_until_ttl"
    }

    /// What tells of changes.
    public var source = Source.none
    /// Where the stream connects to, as a libpq connection string or URL; nil: where loads go. Poolers and standbys that
    /// serve loads can't carry it.
    public var url: Secret?
    /// The password beside `url`, which goes before one in the URL.
    public var password: Secret?
    /// What becomes of the groups concerned while the stream is lost.
    public var onStreamLoss = OnStreamLoss.flush
    /// How often the stream proves that it is alive.
    public var heartbeat: Duration = .seconds(5)
    /// The channel that triggers notify, as the catalog would have it: no quotes, nothing folded. At most 63 bytes.
    public var channel = "pgsidecar"
    /// The publication that is decoded, as the catalog has it. At most 63 bytes.
    public var publication = "pgsidecar"

    /// The defaults.
    public init() {}
}

/// What becomes of an entry whose row changed.
public enum OnChange: String, Sendable, Equatable, CaseIterable {
    /// It goes; whoever asks next has it loaded.
    case drop
    /// It goes, and is loaded again at once if it was in memory.
    case reload
}
