import CacheCore
import Groundwork
import Logging
import ServiceLifecycle
import TestSupport

@testable import Admin

/// An ``AdminServer`` at a Unix socket, with statistics that the test sets.
final class TestAdmin: Sendable {
    /// What it is to tell.
    struct Told: Sendable {
        var statistics = SidecarStatistics.full
        var stuck: String?
    }

    let path: String
    let log = LogRecorder()
    private let told: SharedValue<Told>
    private let services: ServiceGroup
    private let running: Task<Void, any Error>

    init(at path: String = temporaryPath() + ".sock") {
        let told = SharedValue(Told())
        self.path = path
        self.told = told
        let server = AdminServer(
            at: .unix(path), logger: log.logger, isStuck: { told.value.stuck }, statistics: { told.value.statistics })
        let services = ServiceGroup(
            services: [server], logger: Logger(label: "services") { _ in SwiftLogNoOpLogHandler() })
        self.services = services
        running = Task { try await services.run() }
    }

    /// Waits until it can be asked.
    func ready() async throws {
        guard await eventually({ (try? self.probe()) != nil }) else { throw Failure("no admin: \(log.messages)") }
    }

    func probe() throws -> HTTPProbe { try HTTPProbe(socket: path) }

    func tell(_ change: (inout Told) -> Void) { told.change(change) }

    /// Ends it as a shutdown does, and waits for its end.
    func end() async throws {
        await services.triggerGracefulShutdown()
        try await running.value
    }
}

/// Runs a test with a server that is ready, and ends that whatever happens.
func withAdmin(_ body: (TestAdmin) async throws -> Void) async throws {
    let admin = TestAdmin()
    do {
        try await admin.ready()
        try await body(admin)
    } catch {
        try? await admin.end()
        throw error
    }
    try await admin.end()
}

/// A value that threads share.
final class SharedValue<Value: Sendable>: Sendable {
    private let shared: Groundwork.Mutex<Value>

    init(_ value: Value) { shared = Groundwork.Mutex(value) }

    var value: Value { shared.withLock { $0 } }

    func change(_ change: (inout Value) -> Void) {
        var value = value
        change(&value)
        shared.withLock { [value] in $0 = value }
    }
}

extension SidecarStatistics {
    /// One with a figure for everything.
    static var full: SidecarStatistics {
        var statistics = SidecarStatistics()
        statistics.time = 1_763_748_000.5
        statistics.version = "1.2.3"
        statistics.checks = [ReadinessCheck("serving", failsFor: nil), ReadinessCheck("database", failsFor: nil)]
        var account = Group()
        account.name = "account"
        (account.figures.gets, account.figures.hits, account.figures.misses) = (10, 7, 3)
        (account.figures.loads, account.figures.refreshes) = (5, 2)
        for microseconds in [40, 60, 60, 150_000, 20_000_000] { account.loadTimes.record(Int64(microseconds) * 1000) }
        account.hotKeys = [HotKey(key: "account:1", lookups: 320), HotKey(key: nil, lookups: 64)]
        var odd = Group()
        odd.name = "o\"d\\d"
        statistics.groups = [account, odd]
        statistics.database.failingGroups = ["account"]
        var stream = Stream()
        (stream.source, stream.state, stream.lagBytes) = ("logical", "live", 128)
        (stream.heldTransactions, stream.delaySeconds) = (2, 0.004)
        statistics.stream = stream
        statistics.verify = Verify()
        var slow = Slow()
        (slow.group, slow.key, slow.seconds, slow.queueSeconds) = ("account", "account:1", 0.5, 0.25)
        statistics.slowLoads = [slow]
        statistics.slowLoadCount = 1
        return statistics
    }
}
