public import Logging

/// What a settings file says, in plain Swift types, each with its default.
///
/// The tables in `Settings+Keys.swift` say how each one is called and written in the file.
public struct Settings: Sendable, Equatable {
    /// The way to PostgreSQL.
    public var database = Database()
    /// The Unix socket that clients connect to.
    public var listen = Listen()
    /// Loop threads; 0 means one for every two cores, at least one and at most four.
    public var threads = 0
    /// Bytes for the entries of all groups together: keys, values and overhead.
    public var memory = 256 << 20
    /// What is logged.
    public var log = Log()
    /// How long a shutdown waits for what is in flight.
    public var drainTimeout: Duration = .seconds(10)
    /// What a group has that doesn't say otherwise.
    public var defaults = Group()
    /// The groups, in the file's order, complete with the defaults.
    public var groups: [Group] = []

    /// The defaults, without a group.
    public init() {}

    /// The way to PostgreSQL.
    public struct Database: Sendable, Equatable {
        /// A libpq connection string or URL; nil leaves all of it to libpq's own sources (`PG*` variables and files).
        public var url: Secret?
        /// The password, which goes before one in the URL; nil leaves it to the URL and to libpq's own sources.
        public var password: Secret?
        /// Database connections, over all loops; 0 is two for each, at least four.
        public var connections = 0
        /// Queries in flight on one database connection.
        public var pipelineDepth = 32
        /// How long one attempt to connect may take.
        public var connectTimeout: Duration = .seconds(5)
        /// Whether getters are prepared statements; off is for poolers that can't keep them.
        public var prepare = true
        /// Whether the database is told to refuse what a getter would write.
        public var readOnly = true

        /// The defaults.
        public init() {}
    }

    /// The Unix socket that clients connect to, and what one client may use.
    public struct Listen: Sendable, Equatable {
        /// The socket's path.
        public var socket = "/run/pgsidecar/pgsidecar.sock"
        /// The permission bits of the socket file.
        public var mode: UInt32 = 0o660
        /// The id of the Unix group that the socket file is given to; nil leaves it to the process's own group.
        public var group: UInt32?
        /// The ids of the users that may connect; nil admits whom the file mode admits.
        public var allowUsers: [UInt32]?
        /// Client connections at once.
        public var maxClients = 10_000
        /// Bytes of one request.
        public var maxRequest = 1 << 20
        /// Bytes of replies that may wait for one client.
        public var maxOutput = 64 << 20
        /// Bytes of requests of one client that may wait.
        public var maxPipeline = 16 << 20
        /// Bytes of requests and replies that may wait, of all clients together: half of it for each.
        public var maxBuffers = 256 << 20
        /// The ids of the users that may flush and close other clients; nil: whoever may connect.
        public var adminUsers: [UInt32]?
        /// What is taken away from the beginning of keys; nil: nothing.
        public var keyPrefix: String?
        /// What a client must say with AUTH before it may ask; nil asks for none.
        public var password: Secret?

        /// The defaults.
        public init() {}
    }

    /// What is logged.
    public struct Log: Sendable, Equatable {
        /// How a record is written.
        public enum Format: String, Sendable, Equatable, CaseIterable {
            /// For people: time, level, message, and what belongs to it as `name=value`.
            case text
            /// For programs: a JSON object a line.
            case json
        }

        /// The least important level that is logged.
        public var level: Logger.Level = .info
        /// How a record is written.
        public var format = Format.text

        /// The defaults.
        public init() {}
    }

    /// A cache namespace with its getter and its freshness rules.
    public struct Group: Sendable, Equatable {
        /// What a reply holds of the getter's result.
        public enum Returns: String, Sendable, Equatable, CaseIterable {
            /// One row, its columns by name.
            case row
            /// The one column of one row.
            case value
            /// Every row, in the query's order.
            case rows
        }

        /// Which entry goes when there is no room.
        public enum Eviction: String, Sendable, Equatable, CaseIterable {
            /// The one that was not asked for the longest.
            case lru
            /// The oldest that was not asked for since the last look at it.
            case sieve
            /// Newcomers that nobody asks for again.
            case s3fifo = "s3-fifo"
        }

        /// The name, which begins each key's text.
        public var name = ""
        /// The path of the file that the SQL stands in, relative to the settings file; nil when `sql` was given.
        public var query: String?
        /// The getter's SQL; never empty in settings that were loaded.
        public var sql = ""
        /// Where the SQL begins, for mistakes that the database finds in it.
        var place: QueryPlace?
        /// What a reply holds of the getter's result.
        public var returns = Returns.row
        /// How several keys are loaded by one query; without SQL each is loaded by itself.
        public var batch = Batch()
        /// An entry is never served after this; zero is no limit.
        public var ttl: Duration = .seconds(60)
        /// From this age on an entry is served at once and reloaded in the background; zero is never.
        public var refreshAfter: Duration = .zero
        /// Whether a hit may reload an entry before its time, the likelier the closer expiry is and the dearer its load was.
        public var earlyRefresh = false
        /// How long after `ttl` the last value is served when a load fails; zero is not at all.
        public var staleIfError: Duration = .zero
        /// An entry that was not asked for this long is dropped; zero is no limit.
        public var idleTTL: Duration = .zero
        /// Entries live up to this part of their time less, so that they don't expire together.
        public var jitter = 0.0
        /// How long the absence of a row is remembered; zero forgets it at once.
        public var negativeTTL: Duration = .seconds(5)
        /// The bytes of this group's entries at most; nil is the whole `memory`.
        public var memory: Int?
        /// Which entry goes when there is no room.
        public var eviction = Eviction.lru
        /// How long a caller waits for a load.
        public var loadTimeout: Duration = .seconds(2)
        /// Loads at once; more wait their turn.
        public var maxLoads = 64
        /// Loads that wait their turn; more fail at once.
        public var maxQueuedLoads = 10_000

        /// The defaults, without a name and without SQL.
        public init() {}

        /// A query that loads several keys.
        public struct Batch: Sendable, Equatable {
            /// The path of the file that the SQL stands in, relative to the settings file; nil when `sql` was given.
            public var query: String?
            /// The SQL; empty: there is no batch.
            public var sql = ""
            /// Where the SQL begins.
            var place: QueryPlace?
            /// Keys in one query at most.
            public var max = 256

            /// No batch.
            public init() {}
        }
    }
}
