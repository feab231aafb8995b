/// What a run of `pgsidecar bench` measured. `--json` writes it, and the tables and pages are made of it.
///
/// Times are in microseconds unless a name says seconds; rates are a second.
public struct BenchReport: Codable, Sendable, Equatable {
    /// Of this form of report.
    static let currentVersion = 1

    /// The form's number, which grows when a field changes its meaning.
    var version = currentVersion
    /// Where, when and how it was measured.
    var run: RunDescription
    /// One for each scenario, in the order in which they ran.
    var scenarios: [ScenarioReport] = []
}

/// What is done to the ways in one part of a run.
public enum Scenario: String, Codable, Sendable, CaseIterable {
    /// Every key was asked for before: what a warm cache gives.
    case hits
    /// Some keys are asked for more often than others (Zipf), from a cold start.
    case mixed
    /// Hot keys go from memory while everybody asks for them.
    case herd
    /// Rows change meanwhile.
    case writes
    /// The database goes away and comes back.
    case outage
}

/// One scenario, done to each way in turn.
struct ScenarioReport: Codable, Sendable, Equatable {
    /// Which one.
    var scenario: Scenario
    /// What happens in it, in a sentence.
    var summary: String
    /// How it was asked.
    var load: LoadDescription
    /// What each way gave, in the order in which they were measured.
    var ways: [WayReport] = []
}

/// A way from a key to its value.
public enum Way: String, Codable, Sendable, CaseIterable {
    /// Through pgsidecar's socket.
    case sidecar
    /// By libpq, a query for each ask.
    case database
    /// A Redis server asked first, then the database by whoever got nil, who stores what it brought (cache-aside).
    case redis
}

/// What one way gave in one scenario.
struct WayReport: Codable, Sendable, Equatable {
    /// Which way.
    var way: Way
    /// Answers and errors, from the end of the warm-up on.
    var asks: AskCounts
    /// From when an ask was to be sent until its answer was there. Asks that got an error are not in it.
    var latency: LatencySummary
    /// How much later than scheduled asks were sent though a connection was free: what the generator itself adds to the
    /// latencies. Nil in a closed loop, where nothing is scheduled.
    var lag: LatencySummary?
    /// Over time.
    var series: [SeriesPoint] = []
    /// What the database saw of it; nil when it could not be asked.
    var database: DatabaseView?
    /// Processor seconds of the way's own server (pgsidecar, redis-server); nil when it is not on this machine.
    var serverProcessorSeconds: Double?
    /// Processor seconds of the generator.
    var generatorProcessorSeconds: Double
    /// In the scenario `herd`.
    var herd: HerdReport?
    /// In the scenario `writes`.
    var writes: WritesReport?
    /// In the scenario `outage`.
    var outage: OutageReport?
    /// With `--find-limit`.
    var limit: LimitReport?
    /// Why a reader should not trust the figures above without a second look; usually empty.
    var warnings: [String] = []

    /// Processor time that one ask cost, of the way's server and of the database together, in microseconds; nil when it is not
    /// known.
    var processorPerAsk: Double? {
        let parts = [serverProcessorSeconds, database?.processorSeconds].compactMap { $0 }
        guard asks.answered > 0, !parts.isEmpty else { return nil }
        return parts.reduce(0, +) * 1e6 / Double(asks.answered)
    }
}

/// How many asks were made, and what became of them.
struct AskCounts: Codable, Sendable, Equatable {
    /// So long was measured, in seconds.
    var seconds: Double = 0
    /// Requests that were answered, errors not among them; an MGET is one.
    var answered = 0
    /// Keys in them.
    var keys = 0
    /// Keys among them that have no value.
    var missing = 0
    /// Requests that got an error, or whose connection was lost.
    var errors = 0
    /// The text of the first error.
    var firstError: String?

    /// Answered requests a second.
    var perSecond: Double { seconds > 0 ? Double(answered) / seconds : 0 }
}

/// A step of time in a series. The figures are of the time between this point and the next.
struct SeriesPoint: Codable, Sendable, Equatable {
    /// Seconds since the measured time began.
    var at: Double
    /// Answered requests a second.
    var asksPerSecond: Double
    /// Errors a second.
    var errorsPerSecond: Double
    /// Queries of the way a second, at the database; nil when that is not known.
    var queriesPerSecond: Double?
    /// Sessions that ran a query when it was looked at; nil when that is not known.
    var activeSessions: Int?
    /// Half of the answers came within this.
    var p50: Double
    /// Ninety-nine in a hundred did.
    var p99: Double
    /// All of them did.
    var max: Double
}
