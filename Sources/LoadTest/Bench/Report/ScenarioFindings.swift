/// What happened when hot keys went from memory under full load.
struct HerdReport: Codable, Sendable, Equatable {
    /// How many keys were asked for.
    var hotKeys: Int
    /// How many times all of them went from memory at once.
    var expirations: Int
    /// Asks in the whole time.
    var asks: Int
    /// Queries that the database ran for them; nil when it could not be asked.
    var queries: Int?
    /// The most queries that one expiration brought; nil when it could not be asked.
    var mostQueriesAtOnce: Int?
    /// The longest that somebody waited, in microseconds.
    var longestWait: Double
}

/// What became of rows that changed under load.
struct WritesReport: Codable, Sendable, Equatable {
    /// Rows that were written.
    var writes: Int
    /// A second.
    var perSecond: Double
    /// From the commit's return to the first answer with the new value, in microseconds.
    var commitToNew: LatencySummary
    /// Writes whose new value was not answered within the patience.
    var unseen: Int
    /// How long that was, in seconds.
    var patience: Double
    /// What tells the way of a change, in words.
    var toldBy: String

    /// ``commitToNew``; nil when no new value was answered.
    var seen: LatencySummary? { commitToNew.count > 0 ? commitToNew : nil }
}

/// What was answered while the database was away.
struct OutageReport: Codable, Sendable, Equatable {
    /// When it went, in seconds since the measured time began.
    var from: Double
    /// When it took connections again.
    var to: Double
    /// Requests that were answered in between.
    var answered: Int
    /// Requests that got an error in between.
    var errors: Int
    /// Seconds from its return to the first second without an error; nil when there was none.
    var recoverySeconds: Double?
}

/// How far the rate could be raised.
struct LimitReport: Codable, Sendable, Equatable {
    /// What p99 may be, in microseconds.
    var bound: Double
    /// The highest rate that kept it, a second; 0 when the first one did not.
    var rate: Double
    /// Whether the generator was what gave in: then the way can do more.
    var isGeneratorsLimit: Bool
    /// The rates that were tried, in their order.
    var steps: [Step]

    /// The lowest of them.
    var lowest: Double { steps.map(\.rate).min() ?? 0 }

    /// One rate.
    struct Step: Codable, Sendable, Equatable {
        var rate: Double
        /// What came of it, a second.
        var answered: Double
        var p50: Double
        var p99: Double
        /// The generator's own part.
        var lagP99: Double
        var isKept: Bool
    }
}

/// What the database saw of a way.
struct DatabaseView: Codable, Sendable, Equatable {
    /// Where the count of queries is from.
    enum Source: String, Codable, Sendable {
        /// `pg_stat_statements`: exactly the way's queries.
        case statements = "pg_stat_statements"
        /// `pg_stat_database`: transactions, whoever asked, of which one may have several queries.
        case transactions = "pg_stat_database"
    }

    var source: Source
    /// Queries, or transactions, in the measured time.
    var queries: Int
    /// The most sessions that were seen to run a query at the same time.
    var peakActiveSessions: Int
    /// Of all its processes; nil when it is not on this machine.
    var processorSeconds: Double?
}
