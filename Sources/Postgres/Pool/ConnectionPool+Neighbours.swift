import DequeModule
import EventLoop
import Groundwork

/// Loads go from a pool whose connections are held to one that has a connection to spare: handed over as they start to
/// wait, or fetched by the other pool as it becomes idle.
extension ConnectionPool {
    /// Shows the other pools what could be sent here. Returns whether a query of unknown length could.
    @discardableResult
    func publishRoom() -> Bool {
        seat.publish(queued: turns.reduce(0) { $0 + queues[$1].count })
        guard routing.seats.count > 1, !isRetired else { return false }
        let flowing = connections.reduce(0) { $0 + ($1.flows(at: loop.now) ? 1 : 0) }
        let idle = connections.reduce(0) { $0 + ($1.depth == 0 ? 1 : 0) }
        // As in ``Placement``: one stays for short queries.
        let spare = connections.count > 1 ? min(idle, flowing - 1) : idle
        seat.publish(flowing: flowing, spare: spare)
        return spare > 0
    }

    /// Fetches what waits for a connection elsewhere, when there is one to spare here. Whoever asks in vain is not asked
    /// back: two pools that can do nothing for one another stay quiet.
    func fetchWork() {
        if publishRoom() { routing.fetchWork(for: seat) }
    }

    /// Hands over what can be sent elsewhere and not here.
    func handOver() {
        guard routing.seats.count > 1 else { return }
        for getter in turns { giveWork(of: getter) { routing.neighbour(of: self.seat, takes: $0) } }
    }

    /// Gives another pool, which asked for it, what it can send and this one cannot.
    func giveWork(to other: PoolSeat) {
        guard !isRetired else { return }
        for getter in turns {
            giveWork(of: getter) { kind in
                switch kind {
                case .short: other.flowing > 0 ? other : nil
                case .unknown: other.takeSpare() ? other : nil
                }
            }
        }
        publishRoom()
    }

    private func giveWork(of getter: Int, _ neighbour: (NeighbourQuery) -> PoolSeat?) {
        let queue = queues[getter]
        guard let next = queue.next else { return }
        let pace = context.paces[
            Load.statementIndex(of: getter, isBatch: next == .batchable || queue.isBatchNext)]
        let flows = connections.contains { $0.flows(at: loop.now) }
        let query = Placement.Query(getter: getter, isShort: pace.isShort, held: context.held(by: getter))
        guard !pace.isShort || !flows, placement.leavesOne(query),
            let other = neighbour(pace.isShort ? .short : .unknown),
            other.share(ofQueries: context.queries(of: getter)) > 0
        else { return }
        let count = next == .single && !pace.isShort ? 1 : DatabaseConnection.segmentLoads
        let taken = queue.take(next, count, at: loop.now)
        var loads = taken.loads
        while var load = loads.popFirst() {
            load.isHandedOver = true
            other.start(load)
        }
        Self.drop(taken.unwanted)
    }
}

/// What a pool looks for a neighbour for.
enum NeighbourQuery {
    case short, unknown
}
