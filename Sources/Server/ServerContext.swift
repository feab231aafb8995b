import Groundwork
import Logging
import Synchronization

/// What the loops of one server share. Immutable but for its counters, its directory, and what ``Server/serve(_:)`` and
/// ``Server/admit(_:)`` replace.
final class ServerContext: Sendable {
    let settings: ServerSettings
    /// One of them, at hand for each reply that waits.
    let maxReply: Int
    /// What is taken away from the beginning of keys.
    let keyPrefix: [UInt8]
    let information: ServerInformation
    let changes: AppliedChanges
    let operations: Operations
    let logger: Logger
    let directory = ClientDirectory()
    /// What all clients together may have: bytes of requests, and of replies.
    let input: Bound
    let output: Bound
    let subscriptions = SubscriptionDirectory()
    /// What clients are told of, by the loop's index.
    let tracking: [TrackingTable]
    let started = Instant.now()
    /// The figures of each loop, by its index among the server's loops.
    let counters: [LoopCounters]

    private let served: Groundwork.Mutex<[ServedGroup]>
    private let whoIsAdmitted: Groundwork.Mutex<Admission>
    private let clientCount = Atomic<Int>(0)
    private let acceptedCount = Atomic<Int>(0)
    private let rejectedCount = Atomic<Int>(0)

    init(
        settings: ServerSettings, keyspace: Keyspace, information: ServerInformation, changes: AppliedChanges,
        operations: Operations, logger: Logger, loopCount: Int
    ) {
        self.settings = settings
        maxReply = settings.maxReply
        keyPrefix = keyspace.keyPrefix
        served = Groundwork.Mutex(keyspace.groups)
        whoIsAdmitted = Groundwork.Mutex(Admission(settings))
        self.information = information
        self.changes = changes
        self.operations = operations
        self.logger = logger
        input = Bound(settings.maxBuffers / 2)
        output = Bound(max(settings.maxBuffers / 2, settings.maxReply))
        tracking = (0..<loopCount).map { _ in TrackingTable(limit: settings.maxTracking / max(1, loopCount)) }
        counters = (0..<loopCount).map { _ in LoopCounters() }
    }

    /// The groups that are served, for who is not on a loop or asks for all of them.
    var groups: [ServedGroup] {
        get { served.withLock { $0 } }
        set { served.withLock { $0 = newValue } }
    }

    /// Who may connect, and who of them may run what concerns all.
    var admission: Admission {
        get { whoIsAdmitted.withLock { $0 } }
        set { whoIsAdmitted.withLock { $0 = newValue } }
    }

    /// Tells those who track that nothing they know is sure.
    func tellEverything() {
        for table in tracking { table.mailbox.post(.everythingForAll) }
    }

    /// Counts one client in, unless there are `maxClients`. Returns its id.
    func admitClient() -> Int? {
        let count = clientCount.wrappingAdd(1, ordering: .relaxed).newValue
        guard count <= admission.maxClients else {
            clientCount.wrappingSubtract(1, ordering: .relaxed)
            return nil
        }
        return acceptedCount.wrappingAdd(1, ordering: .relaxed).newValue
    }

    /// Counts an admitted client out.
    func clientLeft() {
        clientCount.wrappingSubtract(1, ordering: .relaxed)
    }

    /// Counts a connection that was refused.
    func clientRejected() {
        rejectedCount.wrappingAdd(1, ordering: .relaxed)
    }

    var statistics: ServerStatistics {
        var sum = ServerStatistics()
        sum.clients = clientCount.load(ordering: .relaxed)
        sum.accepted = acceptedCount.load(ordering: .relaxed)
        sum.rejected = rejectedCount.load(ordering: .relaxed)
        sum.requestBytes = input.used
        sum.replyBytes = output.used
        for loop in counters {
            sum.commands += loop.commands.count
            sum.protocolErrors += loop.protocolErrors.count
            sum.timeouts += loop.timeouts.count
            sum.slowReaders += loop.slowReaders.count
            sum.pending += loop.pending.count
        }
        return sum
    }
}
