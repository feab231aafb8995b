import EventLoop
import Groundwork
import Synchronization

/// How much of something all clients together may have: bytes that wait, or waits. Any thread.
final class Bound: Sendable {
    let limit: Int
    private let total = Atomic<Int>(0)
    /// Those who wait for room, in the order of their arrival.
    private let queue = Groundwork.Mutex<[Waiting]>([])
    /// Whether somebody does: spares the lock.
    private let hasWaiting = Atomic<Bool>(false)
    /// When somebody last went without.
    private let lastRefusal = Atomic<Int64>(.min)

    private struct Waiting: Sendable {
        let need: Int
        let since: Instant
        let goOn: @Sendable () -> Void
    }

    init(_ limit: Int) {
        self.limit = limit
    }

    /// How much they have.
    var used: Int { total.load(ordering: .relaxed) }

    var isFull: Bool { used >= limit }

    /// Whether `amount` more stays within `limit`, or within a lower one.
    func hasRoom(for amount: Int, below limit: Int? = nil) -> Bool {
        used + amount <= limit ?? self.limit
    }

    /// Takes `amount` if that stays within `limit`, or within a lower one.
    func reserve(_ amount: Int, below limit: Int? = nil) -> Bool {
        total.reserve(amount, within: limit ?? self.limit)
    }

    /// Takes what can't be refused any more.
    func add(_ amount: Int) {
        total.wrappingAdd(amount, ordering: .relaxed)
    }

    /// Gives back.
    func remove(_ amount: Int) {
        total.wrappingSubtract(amount, ordering: .sequentiallyConsistent)
        offer()
    }

    /// Tells those who wait of the room that there is. To be called after each turn of one who was told: what that one did not
    /// take is for the next, and nobody gives back what nobody took.
    func offer() {
        if hasWaiting.load(ordering: .sequentiallyConsistent) { wake() }
    }

    /// Has `goOn` called once, from any thread, when there seems to be room for `need`, which is within the limit.
    func whenRoom(for need: Int, _ goOn: @escaping @Sendable () -> Void) {
        queue.withLock { queue in
            queue.append(Waiting(need: min(need, limit), since: .now(), goOn: goOn))
            hasWaiting.store(true, ordering: .sequentiallyConsistent)
        }
        // What was given back before the flag was seen told nobody.
        wake()
    }

    /// Whether somebody has been waiting for so long.
    func hasWaited(_ duration: Duration, at now: Instant) -> Bool {
        guard hasWaiting.load(ordering: .sequentiallyConsistent) else { return false }
        return queue.withLock { queue in queue.first.map { now - $0.since >= duration } ?? false }
    }

    /// Notes that somebody found no room and can't wait for it.
    func noteRefusal(at now: Instant) {
        lastRefusal.store(now.nanoseconds, ordering: .relaxed)
    }

    /// Whether somebody did since a time.
    func hasRefused(since time: Instant) -> Bool {
        lastRefusal.load(ordering: .relaxed) >= time.nanoseconds
    }

    /// First come, first served: a large need is not passed by small ones for ever.
    private func wake() {
        let woken = queue.withLock { queue in
            var room = limit - total.load(ordering: .sequentiallyConsistent)
            let count = queue.prefix { waiting in
                guard waiting.need <= room else { return false }
                room -= waiting.need
                return true
            }.count
            let woken = Array(queue.prefix(count))
            queue.removeFirst(count)
            hasWaiting.store(!queue.isEmpty, ordering: .sequentiallyConsistent)
            return woken
        }
        for waiting in woken { waiting.goOn() }
    }
}
