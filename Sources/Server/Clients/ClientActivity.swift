import Groundwork
import Synchronization

/// What a client is at, for `CLIENT LIST`: written by its loop, read by any thread.
final class ClientActivity: Sendable {
    private let lastAsked: Atomic<Int64>
    private let lastCommand = Atomic<Int>(-1)
    private let inputBytes = Atomic<Int>(0)
    private let outputBytes = Atomic<Int>(0)
    private let queuedBytes = Atomic<Int>(0)
    private let queuedCount = Atomic<Int>(-1)

    init(at now: Instant) {
        lastAsked = Atomic(now.nanoseconds)
    }

    /// The time since it last sent something.
    func idle(at now: Instant) -> Duration {
        max(.zero, .nanoseconds(now.nanoseconds - lastAsked.load(ordering: .relaxed)))
    }

    /// Whether it has asked for anything.
    var hasAsked: Bool { lastCommand.load(ordering: .relaxed) >= 0 }

    /// The name of its last command.
    var command: String {
        let index = lastCommand.load(ordering: .relaxed)
        return CommandTable.served.indices.contains(index) ? CommandTable.served[index].name : "NULL"
    }

    /// Bytes of requests that were not executed.
    var input: Int { inputBytes.load(ordering: .relaxed) }
    /// Bytes of replies that it has not taken.
    var output: Int { outputBytes.load(ordering: .relaxed) }
    /// The requests that a transaction holds back, and their bytes; nil: there is none.
    var transaction: (count: Int, byteCount: Int)? {
        let count = queuedCount.load(ordering: .relaxed)
        return count < 0 ? nil : (count, queuedBytes.load(ordering: .relaxed))
    }

    @inline(__always)
    func asked(at now: Instant) { lastAsked.store(now.nanoseconds, ordering: .relaxed) }

    @inline(__always)
    func executes(_ command: Int) { lastCommand.store(command, ordering: .relaxed) }

    func holds(input: Int, output: Int) {
        inputBytes.store(input, ordering: .relaxed)
        outputBytes.store(output, ordering: .relaxed)
    }

    func holdsBack(_ transaction: Transaction?) {
        queuedBytes.store(transaction?.bytes.count ?? 0, ordering: .relaxed)
        queuedCount.store(transaction?.count ?? -1, ordering: .relaxed)
    }
}
