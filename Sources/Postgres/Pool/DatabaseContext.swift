import CacheCore
import Groundwork
import Logging
import Synchronization

/// What all pools of a database share. Every thread may use it.
final class DatabaseContext: Sendable {
    let settings: DatabaseSettings
    let getters: [QueryGetter]
    let logger: Logger
    let counters: DatabaseCounters
    let firstConnection = FirstConnection()
    let hosts: ConnectedHosts
    let catalog = Catalog()
    /// Told when the database answers, and when it does not.
    let circuit: CircuitBreaker
    /// How long each getter's statements take; two a getter, by ``Load/statementIndex``.
    let paces: [Pace]
    private let lostStatements = Atomic<Int>(0)
    /// Whether a pooler between us and the server refuses startup options.
    private let optionsRefused = Atomic<Bool>(false)
    /// Called on a loop's thread with the group's name.
    let onSchemaChange: @Sendable (String) -> Void
    /// Called on any thread with the group's name and what its tables tell of keys.
    let onKeysKnown: @Sendable (String, [KeyVerdict]) -> Void

    init(
        settings: DatabaseSettings, getters: [QueryGetter], logger: Logger, circuit: CircuitBreaker,
        counters: DatabaseCounters,
        onSchemaChange: @escaping @Sendable (String) -> Void,
        onKeysKnown: @escaping @Sendable (String, [KeyVerdict]) -> Void
    ) {
        self.settings = settings
        paces = getters.flatMap { _ in [Pace(), Pace()] }
        self.getters = getters
        self.logger = logger
        self.circuit = circuit
        self.counters = counters
        hosts = counters.hosts
        self.onSchemaChange = onSchemaChange
        self.onKeysKnown = onKeysKnown
    }

    /// How many queries of a getter may be under way.
    func queries(of getter: Int) -> Int { getters[getter].queries }

    /// How many connections of all pools a getter holds by queries of unknown length.
    func held(by getter: Int) -> Int { paces[2 * getter].inFlightUnknown + paces[2 * getter + 1].inFlightUnknown }

    /// Loads of a getter that may wait on one loop. With a batch, as many come through the group's gate as its queries hold.
    func queueLimit(of getter: Int) -> Int {
        guard let batch = getters[getter].batch else { return settings.queuedLoads }
        let (loads, overflow) = getters[getter].queries.multipliedReportingOverflow(by: batch.max)
        return max(settings.queuedLoads, overflow ? .max : loads)
    }

    // MARK: What a pooler cannot do

    /// After how many lost statements it is clear that they will always be lost.
    private static let lostStatementLimit = 8

    /// Whether getters are prepared statements.
    var prepares: Bool {
        settings.prepare && lostStatements.load(ordering: .relaxed) < Self.lostStatementLimit
    }

    /// Notes that a server did not have a statement that was prepared, or had another one under its name.
    func noteLostStatement() {
        guard lostStatements.add(1, ordering: .relaxed).newValue == 1 else { return }
        logger.warning(
            "prepared statements get lost on the way to the database, as in a pooler; set database.prepare: off")
    }

    /// Whether startup options are worth a try.
    var takesOptions: Bool { !optionsRefused.load(ordering: .relaxed) }

    /// Notes that whoever takes the connections refuses startup options.
    func noteRefusedOptions() {
        optionsRefused.store(true, ordering: .relaxed)
    }
}

/// What a database counts.
final class DatabaseCounters: Sendable {
    /// The most cancel requests under way: each is a thread that waits for as long as the server hangs.
    private static let cancelLimit = 16

    private let sentCount = Atomic<Int>(0)
    private let retryCount = Atomic<Int>(0)
    private let connectedCount = Atomic<Int>(0)
    private let lostCount = Atomic<Int>(0)
    private let cancels = Atomic<Int>(0)
    private let error = Groundwork.Mutex<String?>(nil)
    /// Where the connections lead.
    let hosts = ConnectedHosts()

    /// Loads that were sent, retries included.
    var sent: Int { sentCount.load(ordering: .relaxed) }
    /// Loads that were started a second time.
    var retried: Int { retryCount.load(ordering: .relaxed) }
    /// Connections that were made.
    var connected: Int { connectedCount.load(ordering: .relaxed) }
    /// Connections that were lost.
    var lost: Int { lostCount.load(ordering: .relaxed) }

    func noteSent() {
        sentCount.add(1, ordering: .relaxed)
    }

    func noteRetry() {
        retryCount.add(1, ordering: .relaxed)
    }

    /// Why the last attempt failed or the last connection was lost; nil since the last success.
    var lastError: String? { error.withLock { $0 } }

    func noteConnected() {
        connectedCount.add(1, ordering: .relaxed)
        error.withLock { $0 = nil }
    }

    func noteFailure(_ text: String) {
        error.withLock { $0 = text }
    }

    func noteLoss(_ loss: Loss) {
        lostCount.add(1, ordering: .relaxed)
        noteFailure(loss.text)
    }

    /// Sends a cancel request, on a thread of its own. False when there are too many under way, or no thread; `completion`
    /// is not called then.
    func cancel(_ cancel: consuming PQCancel, _ completion: @escaping @Sendable () -> Void) -> Bool {
        guard cancels.add(1, ordering: .relaxed).newValue <= Self.cancelLimit else {
            cancels.subtract(1, ordering: .relaxed)
            return false
        }
        let parcel = Parcel(cancel)
        let isStarted = startThread { [self] in
            parcel.take()?.send()
            cancels.subtract(1, ordering: .relaxed)
            completion()
        }
        if !isStarted { cancels.subtract(1, ordering: .relaxed) }
        return isStarted
    }
}

extension Logger {
    func warning(_ text: Logger.Message, for getter: QueryGetter) {
        warning(text, metadata: ["group": "\(getter.name)"])
    }
}
