import Synchronization

/// What happened at a server's socket since it started.
public struct ServerStatistics: Sendable, Equatable {
    /// Client connections now.
    public var clients = 0
    /// Connections that were let in.
    public var accepted = 0
    /// Connections that were refused: too many, or not an allowed user.
    public var rejected = 0
    /// Requests that were executed.
    public var commands = 0
    /// Requests that were malformed.
    public var protocolErrors = 0
    /// Waiters that got an error because their deadline passed.
    public var timeouts = 0
    /// Clients that were closed because they did not read their replies.
    public var slowReaders = 0
    /// Requests that wait for a load now.
    public var pending = 0
    /// Bytes of requests that wait, beyond the little that each client may have.
    public var requestBytes = 0
    /// Bytes that replies hold while they wait.
    public var replyBytes = 0

    /// Nothing happened yet.
    public init() {}
}

/// One figure that one loop counts and any thread reads.
///
/// Counting is a plain load and store: only the loop writes.
final class LoopCounter: Sendable {
    private let value = Atomic<Int>(0)

    var count: Int { value.load(ordering: .relaxed) }

    /// Loop's thread only.
    func add(_ amount: Int) {
        value.store(value.load(ordering: .relaxed) &+ amount, ordering: .relaxed)
    }
}

/// The figures of one loop.
final class LoopCounters: Sendable {
    let commands = LoopCounter()
    let protocolErrors = LoopCounter()
    let timeouts = LoopCounter()
    let slowReaders = LoopCounter()
    let pending = LoopCounter()
}
