import CacheCore
import Groundwork
import Logging
import Synchronization

/// What all pools of a database share. Every thread may use it.
final class DatabaseContext: Sendable {
    let settings: DatabaseSettings
    let getters: [QueryGetter]
    let logger: Logger
    let gauges = DatabaseGauges()
    let catalog = Catalog()
    /// Told when the database answers, and when it does not.
    let circuit: CircuitBreaker
    /// Called on a loop's thread with the group's name.
    let onSchemaChange: @Sendable (String) -> Void

    init(
        settings: DatabaseSettings, getters: [QueryGetter], logger: Logger, circuit: CircuitBreaker,
        onSchemaChange: @escaping @Sendable (String) -> Void
    ) {
        self.settings = settings
        self.getters = getters
        self.logger = logger
        self.circuit = circuit
        self.onSchemaChange = onSchemaChange
    }
}

/// What a database counts.
final class DatabaseGauges: Sendable {
    /// Cancel requests under way at most: each is a thread that waits for as long as the server hangs.
    private static let cancelLimit = 16

    private let sentCount = Atomic<Int>(0)
    private let retryCount = Atomic<Int>(0)
    private let connectedCount = Atomic<Int>(0)
    private let lostCount = Atomic<Int>(0)
    private let cancels = Atomic<Int>(0)
    private let error = Groundwork.Mutex<String?>(nil)

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

    /// Whether one more cancel request may start; if so, ``endCancel()`` has to follow.
    func beginCancel() -> Bool {
        if cancels.add(1, ordering: .relaxed).newValue <= Self.cancelLimit { return true }
        endCancel()
        return false
    }

    func endCancel() {
        cancels.subtract(1, ordering: .relaxed)
    }
}

extension Logger {
    func warning(_ text: Logger.Message, for getter: QueryGetter) {
        warning(text, metadata: ["group": "\(getter.name)"])
    }
}
