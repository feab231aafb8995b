package import Admin
public import CacheCore
public import Invalidation
public import Logging
public import Postgres
public import Server

/// What a settings file says, in the terms of the parts that it is for, each value with its default.
///
/// The tables of keys (`Settings+Keys.swift` and its neighbours) say how each is called and written in the file, and what it
/// is for.
public struct Settings: Sendable, Equatable {
    /// The way to PostgreSQL.
    public var database = DatabaseSettings()
    /// The Unix socket that clients connect to, and what one client may use.
    public var listen = ServerSettings(socket: "/run/pgsidecar/pgsidecar.sock")
    /// What is taken away from the beginning of keys; nil: nothing.
    public var keyPrefix: String?
    /// Loop threads; 0 means one for every two cores, at least one and at most four.
    public var threads = 0
    /// Bytes for the entries of all groups together: keys, values and overhead.
    public var memory = 256 << 20
    /// What is logged.
    public var log = Log()
    /// How long a shutdown waits for what is in flight.
    public var drainTimeout: Duration = .seconds(10)
    /// What a restart begins with.
    public var warmStart = WarmStart()
    /// What a group has that doesn't say otherwise.
    public var defaults = Group()
    /// How changes in the database are heard of.
    public var invalidation = InvalidationSettings()
    /// What is compared with the database meanwhile.
    public var verify = Verify()
    /// Where operators ask how the sidecar is, and what they are told.
    package var admin = AdminSettings()
    /// Which loads are noted as slow.
    package var slowLog = SlowLoads.Settings()
    /// The groups, in the file's order, complete with the defaults.
    public var groups: [Group] = []

    /// The defaults, without a group.
    public init() {}

    /// What is compared with the database while the sidecar serves.
    public struct Verify: Sendable, Equatable {
        /// Comparisons for each hit; 0: none.
        public var rate = 0.0
        /// How long an entry may differ.
        public var bound: Duration = .seconds(10)

        /// The defaults.
        public init() {}
    }

    /// What a restart begins with.
    public struct WarmStart: Sendable, Equatable {
        /// Where the keys that were asked for last are written down; nil: nowhere, and each start is a cold one.
        public var file: String?
        /// How many keys of each group.
        public var keys = 10_000
        /// How often they are written down.
        public var interval: Duration = .seconds(300)

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

    /// A cache namespace with its getter and its rules.
    public struct Group: Sendable, Equatable {
        /// The name, which begins each key's text.
        public var name = ""
        /// The path of the file that the SQL stands in, relative to the settings file; nil when `sql` was given.
        public var query: String?
        /// The getter's SQL; never empty in settings that were loaded.
        public var sql = ""
        /// Where the SQL begins, for mistakes that the database finds in it.
        var location: QueryLocation?
        /// What a reply holds of the getter's result.
        public var returns = QueryGetter.Returns.row
        /// How several keys are loaded by one query; without SQL each is loaded by itself.
        public var batch = Batch()
        /// The tables whose changes make entries stale.
        public var invalidateOn: [TableRule] = []
        /// Where each of them stands, for mistakes that the database finds.
        var invalidateOnLocations: [QueryLocation] = []
        /// What becomes of an entry whose row changed.
        public var onChange = OnChange.drop
        /// How long entries live, what they may take, and how much loading may cost the database.
        public var rules = GroupSettings()

        /// The defaults, without a name and without SQL. Unlike a source in general, a database is asked by so many only.
        public init() {
            rules.maxLoads = 64
            rules.maxQueuedLoads = 10_000
        }

        /// A query that loads several keys.
        public struct Batch: Sendable, Equatable {
            /// The path of the file that the SQL stands in, relative to the settings file; nil when `sql` was given.
            public var query: String?
            /// The SQL; empty: there is no batch.
            public var sql = ""
            /// Where the SQL begins.
            var location: QueryLocation?
            /// Keys in one query at most.
            public var max = 256

            /// No batch.
            public init() {}
        }
    }
}
