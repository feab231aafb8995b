import Admin
import CacheCore
import Groundwork
import Invalidation
import Machine
import Postgres
import Server

/// Gathers from all parts what operators are told.
struct StatisticsSource: Sendable {
    let live: Live
    let cache: Cache
    let slowLoads: SlowLoads
    let server: Server
    let loadLog: LoadLog
    let mistakes: QueryMistakes
    let verifier: MemoryVerifier?
    let circuit: @Sendable () -> CircuitBreaker.State
    let stream: @Sendable () -> StreamStatus?
    private let started = Instant.now()
    private let startTime = WallClock.now().seconds

    init(
        _ live: Live, cache: Cache, slowLoads: SlowLoads, server: Server, loadLog: LoadLog,
        mistakes: QueryMistakes, verifier: MemoryVerifier?, circuit: @escaping @Sendable () -> CircuitBreaker.State,
        stream: @escaping @Sendable () -> StreamStatus?
    ) {
        self.live = live
        self.cache = cache
        self.slowLoads = slowLoads
        self.server = server
        self.loadLog = loadLog
        self.mistakes = mistakes
        self.verifier = verifier
        self.circuit = circuit
        self.stream = stream
    }

    /// Slow loads that are told of, and hot keys of each group.
    private static let (slowLoadCount, hotKeyCount) = (32, 10)

    /// The statistics of now. Any thread; takes each lock of a shard for well under a microsecond.
    func statistics() -> SidecarStatistics {
        let (now, time) = (Instant.now(), Double(WallClock.now().milliseconds) / 1000)
        var statistics = SidecarStatistics()
        statistics.time = time
        statistics.version = Sidecar.version
        statistics.uptimeSeconds = (now - started).seconds
        statistics.memory.limitBytes = cache.memory
        statistics.memory.usedBytes = cache.usedBytes
        statistics.groups = live.groups.map { figures($0.served.group) }
        statistics.clients = clients
        statistics.database = databaseFigures
        statistics.stream = stream().map { figures($0, at: now) }
        statistics.verify = verifier.map { verifier in
            let figures = verifier.figures
            var verify = SidecarStatistics.Verify()
            (verify.checked, verify.mismatches) = (figures.checked, figures.mismatches)
            return verify
        }
        statistics.process = process
        statistics.slowLoads = slowLoads.last(Self.slowLoadCount).map { figures($0, now: now, time: time) }
        statistics.slowLoadCount = slowLoads.count
        statistics.checks = readiness
        return statistics
    }

    private func figures(_ group: Group) -> SidecarStatistics.Group {
        var figures = SidecarStatistics.Group()
        figures.name = group.name
        figures.figures = group.statistics
        (figures.runningLoads, figures.queuedLoads) = group.loadsUnderWay
        figures.loadTimes = group.loadTimes
        figures.hotKeys = group.mostAccessed(Self.hotKeyCount).map { key, lookups in
            SidecarStatistics.HotKey(key: shown(group.wireKey(key)), lookups: lookups)
        }
        return figures
    }

    private func shown(_ key: [UInt8]) -> String? {
        live.settings.admin.showsKeys ? String(decoding: key.prefix(SlowLoads.keyLimit), as: UTF8.self) : nil
    }

    private var clients: SidecarStatistics.Clients {
        let server = server.statistics
        var clients = SidecarStatistics.Clients()
        clients.connected = server.clients
        clients.accepted = server.accepted
        clients.rejected = server.rejected
        clients.commands = server.commands
        clients.protocolErrors = server.protocolErrors
        clients.timeouts = server.timeouts
        clients.slowReaders = server.slowReaders
        clients.pending = server.pending
        clients.requestBytes = server.requestBytes
        clients.replyBytes = server.replyBytes
        return clients
    }

    private var databaseFigures: SidecarStatistics.Database {
        let status = live.database.status
        var database = SidecarStatistics.Database()
        database.connectionsWanted = status.connectionsWanted
        database.connectionsReady = status.connectionsReady
        database.connectionsConnecting = status.connectionsConnecting
        database.connectionsMade = status.connectionsMade
        database.connectionsLost = status.connectionsLost
        database.circuit = "\(circuit())"
        database.loadsSent = status.loadsSent
        database.loadsQueued = status.loadsQueued
        database.loadsRetried = status.loadsRetried
        database.lastError = status.lastError
        database.degradedGroups = Set(status.degradedGroups).union(mistakes.groups).sorted()
        database.failingGroups = loadLog.failingGroups
        return database
    }

    private func figures(_ status: StreamStatus, at now: Instant) -> SidecarStatistics.Stream {
        var stream = SidecarStatistics.Stream()
        stream.source = live.settings.invalidation.source.rawValue
        stream.state = status.state.rawValue
        stream.stateSeconds = (now - status.since).seconds
        stream.losses = status.losses
        stream.lastLoss = status.lastLoss
        stream.changes = status.counters.changes
        stream.keys = status.counters.keys
        stream.flushes = status.counters.flushes
        stream.misread = status.misread
        stream.refusedGroups = status.refusedGroups
        stream.appliedLsn = status.applied == .none ? nil : "\(status.applied)"
        stream.lagBytes = status.lag
        stream.heldTransactions = status.held
        stream.delaySeconds = status.delay?.seconds
        return stream
    }

    private var process: SidecarStatistics.Process {
        let figures = ProcessFigures.now()
        var process = SidecarStatistics.Process()
        process.cpuUserSeconds = figures.userSeconds
        process.cpuSystemSeconds = figures.systemSeconds
        process.residentBytes = figures.residentBytes
        process.virtualBytes = figures.virtualBytes
        process.allocatedBytes = ProcessMemory.now().allocated
        process.openDescriptors = figures.openDescriptors
        process.maxDescriptors = figures.maxDescriptors
        process.startTime = Double(startTime)
        return process
    }

    private func figures(_ load: SlowLoad, now: Instant, time: Double) -> SidecarStatistics.Slow {
        var slow = SidecarStatistics.Slow()
        slow.id = load.id
        slow.time = time - max(0, (now - load.ended).seconds)
        slow.group = load.group
        slow.key = load.key == nil ? nil : shown(load.wireKey)
        slow.seconds = Duration.nanoseconds(load.total).seconds
        slow.queueSeconds = Duration.nanoseconds(load.queue).seconds
        slow.connectionSeconds = Duration.nanoseconds(load.connection).seconds
        slow.databaseSeconds = Duration.nanoseconds(load.database).seconds
        slow.error = load.error.map { "\($0)" }
        return slow
    }
}

extension Duration {
    fileprivate var seconds: Double { Double(wholeNanoseconds) / 1_000_000_000 }
}
