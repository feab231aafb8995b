import Groundwork
import Postgres

/// Those who wait until all that was committed up to a position has been applied. A state machine without I/O or clock.
struct CatchUps {
    /// Who waits: called once, with whether it has been applied.
    typealias Waiter = @Sendable (Bool) -> Void

    private struct Waiting {
        let position: LogPosition
        let deadline: Instant
        let waiter: Waiter
    }

    /// The most that may wait.
    static let limit = 1 << 16

    private var waiting: [Waiting] = []

    /// How many wait.
    var count: Int { waiting.count }
    /// When the first of them gives up.
    private(set) var firstDeadline: Instant?

    /// Takes one more in; false when there are as many as may be.
    mutating func add(_ position: LogPosition, by deadline: Instant, _ waiter: @escaping Waiter) -> Bool {
        guard waiting.count < Self.limit else { return false }
        waiting.append(Waiting(position: position, deadline: deadline, waiter: waiter))
        firstDeadline = min(firstDeadline ?? deadline, deadline)
        return true
    }

    /// Takes those out who waited for no more than `position`.
    mutating func takeReached(_ position: LogPosition) -> [Waiter] {
        take { $0.position <= position }
    }

    /// Takes those out whose time is over.
    mutating func takeOverdue(at now: Instant) -> [Waiter] {
        take { $0.deadline <= now }
    }

    /// Takes all out.
    mutating func takeAll() -> [Waiter] {
        take { _ in true }
    }

    private mutating func take(_ isDone: (Waiting) -> Bool) -> [Waiter] {
        guard !waiting.isEmpty else { return [] }
        let done = waiting.filter(isDone).map(\.waiter)
        if !done.isEmpty { waiting.removeAll(where: isDone) }
        firstDeadline = waiting.map(\.deadline).min()
        return done
    }
}
