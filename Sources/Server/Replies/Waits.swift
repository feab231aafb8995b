import CacheCore
import EventLoop
import Groundwork

/// The holes of one loop's clients that wait for loads, and the outcomes that are on their way to them.
///
/// A group delivers from whatever thread ended the flight. From there an outcome has one way: into the mailbox, and at the end
/// of a round of this loop to its hole. Never at once: a getter may answer inside the very lookup that asked it.
///
/// ``deliver(_:token:)`` may be called from any thread; everything else is the loop's thread's.
final class Waits: OutcomeSink, @unchecked Sendable {
    // Unchecked: but for `deliver`, which goes through `posted`, every use is on the loop's thread.

    private let loop: EventLoop
    private let counters: LoopCounters
    /// An outcome that comes after its hole was taken out finds nothing.
    private var holes = SlotTable<Hole>()
    /// The token that the next hole has to have. A plain field, as every lookup reads it.
    private(set) var nextToken: UInt64 = 0

    /// What was delivered on the loop's thread, and what was taken over from `posted`.
    private var arrived: [Arrival] = []
    private var filling: [Arrival] = []
    /// What other threads delivered.
    private let posted = Groundwork.Mutex<[Arrival]>([])

    private struct Arrival: Sendable {
        let outcome: Outcome
        let token: UInt64
    }

    init(of loop: EventLoop, counters: LoopCounters) {
        self.loop = loop
        self.counters = counters
    }

    /// Adds a hole that has the token ``nextToken``.
    func add(_ hole: Hole) {
        holes.insert(hole)
        nextToken = holes.nextToken
        counters.pending.add(1)
    }

    /// Takes a hole out of its flight: nobody waits for it any more.
    func abandon(_ hole: Hole) {
        guard takeOut(hole.token) != nil else { return }
        if let ticket = hole.ticket { hole.group?.leave(ticket) }
    }

    func deliver(_ outcome: Outcome, token: UInt64) {
        let arrival = Arrival(outcome: outcome, token: token)
        guard loop.isCurrent else {
            let isFirst = posted.withLock { posted in
                posted.append(arrival)
                return posted.count == 1
            }
            if isFirst { loop.submit { [self] in takePosted() } }
            return
        }
        arrived.append(arrival)
        loop.gathers()
    }

    private func takePosted() {
        arrived += posted.withLock { posted in
            let taken = posted
            posted = []
            return taken
        }
        loop.gathers()
    }

    /// Whether outcomes arrived that no hole has yet.
    var hasArrivals: Bool { !arrived.isEmpty }

    /// Hands what arrived to the holes. What arrives meanwhile is for the next time.
    func fillArrived() {
        guard !arrived.isEmpty else { return }
        // The two lists are exchanged each time and keep their room.
        swap(&arrived, &filling)
        for index in filling.indices { takeOut(filling[index].token)?.fill(filling[index].outcome) }
        filling.removeAll(keepingCapacity: filling.count < 4096)
    }

    private func takeOut(_ token: UInt64) -> Hole? {
        guard let hole = holes.remove(token) else { return nil }
        nextToken = holes.nextToken
        counters.pending.add(-1)
        return hole
    }
}
