package import CacheCore

/// What a sidecar holds, and did since its start, at one moment. What it has no figure for is nil.
///
/// In JSON (`/stats.json`, `/events`) each name is in `snake_case`, and what is nil is left out.
package struct SidecarStatistics: Sendable, Encodable {
    /// Seconds since 1970.
    package var time = 0.0
    /// The program's version.
    package var version = ""
    /// Since the start.
    package var uptimeSeconds = 0.0
    /// What ``isReady`` goes by.
    package var checks: [ReadinessCheck] = []
    package var memory = Memory()
    /// In the settings' order.
    package var groups: [Group] = []
    package var clients = Clients()
    package var database = Database()
    /// Nil when nothing tells of changes.
    package var stream: Stream?
    /// Nil when nothing is compared.
    package var verify: Verify?
    package var process = Process()
    /// The last ones, newest first.
    package var slowLoads: [Slow] = []
    /// Slow loads since the start.
    package var slowLoadCount = 0

    package init() {}

    /// Whether applications are served.
    package var isReady: Bool { checks.allSatisfy { $0.isOk || $0.isTolerable } }

    /// The entries of all groups.
    package struct Memory: Sendable, Encodable {
        package var limitBytes = 0
        package var usedBytes = 0

        package init() {}
    }

    /// One group.
    package struct Group: Sendable {
        package var name = ""
        package var figures = GroupStatistics()
        /// Loads that run, and that wait for their turn behind `max_loads`.
        package var runningLoads = 0
        package var queuedLoads = 0
        package var loadTimes = LoadTimes()
        /// The most asked first.
        package var hotKeys: [HotKey] = []

        package init() {}
    }

    /// A key that is asked for often.
    package struct HotKey: Sendable, Encodable {
        /// As it is on the wire; nil: it is not to be told.
        package var key: String?
        /// About how many lookups it had of late.
        package var lookups: Int

        package init(key: String?, lookups: Int) {
            self.key = key
            self.lookups = lookups
        }
    }

    /// Who is connected to the socket.
    package struct Clients: Sendable, Encodable {
        package var connected = 0
        package var accepted = 0
        package var rejected = 0
        package var commands = 0
        package var protocolErrors = 0
        /// Callers whose deadline passed.
        package var timeouts = 0
        package var slowReaders = 0
        /// Requests that wait for a load.
        package var pending = 0
        package var requestBytes = 0
        package var replyBytes = 0

        package init() {}
    }

    /// The way to PostgreSQL.
    package struct Database: Sendable, Encodable {
        package var connectionsWanted = 0
        package var connectionsReady = 0
        package var connectionsConnecting = 0
        package var connectionsMade = 0
        package var connectionsLost = 0
        /// `closed`, `open` or `probing`.
        package var circuit = "closed"
        package var loadsSent = 0
        package var loadsQueued = 0
        package var loadsRetried = 0
        /// For the operator: may name hosts and users.
        package var lastError: String?
        /// Groups whose query does not fit the database's tables.
        package var degradedGroups: [String] = []
        /// Groups of which loads fail.
        package var failingGroups: [String] = []

        package init() {}
    }

    /// What tells of changes.
    package struct Stream: Sendable, Encodable {
        package var source = ""
        /// `live` or `suspect`.
        package var state = ""
        package var stateSeconds = 0.0
        package var losses = 0
        package var lastLoss: String?
        package var changes = 0
        package var keys = 0
        package var flushes = 0
        package var misread = 0
        package var refusedGroups: [String] = []
        package var appliedLsn: String?
        package var lagBytes: UInt64?
        package var heldTransactions: Int?
        package var delaySeconds: Double?

        package init() {}
    }

    /// What was compared with the database.
    package struct Verify: Sendable, Encodable {
        package var checked = 0
        package var mismatches = 0

        package init() {}
    }

    /// What the process takes.
    package struct Process: Sendable, Encodable {
        package var cpuUserSeconds = 0.0
        package var cpuSystemSeconds = 0.0
        package var residentBytes = 0
        package var virtualBytes = 0
        package var allocatedBytes = 0
        package var openDescriptors = 0
        package var maxDescriptors = 0
        /// Seconds since 1970.
        package var startTime = 0.0

        package init() {}
    }

    /// A load that took long, and what it waited for.
    package struct Slow: Sendable, Encodable {
        package var id = 0
        /// Seconds since 1970.
        package var time = 0.0
        package var group = ""
        /// As it is on the wire; nil: it is not to be told.
        package var key: String?
        package var seconds = 0.0
        package var queueSeconds = 0.0
        package var connectionSeconds = 0.0
        package var databaseSeconds = 0.0
        /// Why it brought no answer.
        package var error: String?

        package init() {}
    }
}

/// One of the things that have to be so for applications to be served as they should be.
package struct ReadinessCheck: Sendable, Encodable {
    /// One word.
    package let name: String
    /// Why it is not so, without what only the operator may know; nil: it is.
    package let reason: String?
    /// Whether applications are served well enough all the same.
    package let isTolerable: Bool

    package var isOk: Bool { reason == nil }

    /// A check that holds unless there is a `reason` why not.
    package init(_ name: String, failsFor reason: String?) {
        (self.name, self.reason, isTolerable) = (name, reason, false)
    }

    /// One that a sidecar may be ready without: there may be a `reason` why it does not hold.
    package init(_ name: String, warnsOf reason: String?) {
        (self.name, self.reason, isTolerable) = (name, reason, true)
    }
}
