public import Groundwork

/// How the database is reached and how much of it is used.
public struct DatabaseSettings: Sendable, Equatable {
    /// A libpq connection string or URL; nil leaves all of it to libpq's own sources (`PG*` variables and files).
    public var url: Secret?
    /// The password, which goes before one in the URL; nil leaves it to the URL and to libpq's own sources.
    public var password: Secret?
    /// Database connections, over all loops; 0 is two for each, at least four.
    public var connections = 0
    /// Loads in flight on one database connection.
    public var pipelineDepth = 32
    /// How long one attempt to reach one address may take, and then each answer on a connection that is not in use yet. libpq
    /// counts whole seconds, at least two; a `connect_timeout` in the URL goes before.
    public var connectTimeout: Duration = .seconds(5)
    /// A connection is made anew after this time, or up to a tenth of it sooner; nil: it lives as long as it can.
    public var connectionLifetime: Duration?
    /// Whether getters are prepared statements. Off is for poolers that cannot keep them.
    public var prepare = true
    /// Whether the server is told to refuse writes.
    public var readOnly = true
    /// Loads of one group that may wait on one loop for room in a pipeline; beyond it they fail as busy.
    public var queuedLoads = 10_000

    /// The defaults.
    public init() {}

    /// How many connections so many loops have: two each, so that none of their groups can take all of them.
    public func connections(for loops: Int) -> Int {
        connections > 0 ? connections : max(4, 2 * loops)
    }

    /// As libpq takes it.
    var connectTimeoutSeconds: Int {
        let (seconds, attoseconds) = connectTimeout.components
        return max(2, Int(clamping: seconds) + (attoseconds > 0 ? 1 : 0))
    }

    /// How long the server may take for an answer on a connection that is not in use yet: as long as to be reached. A URL may
    /// have libpq wait for ever, which nobody does here.
    var firstAnswersTimeout: Duration {
        let own = urlParameters["connect_timeout"].flatMap { Int($0) } ?? 0
        return .seconds(own > 0 ? max(2, own) : connectTimeoutSeconds)
    }
}
