import CacheCore
import EventLoop
import Groundwork
import Synchronization

/// One loop's share of a ``Database``: how other threads reach its pool, and what they may know of it.
final class PoolSeat: @unchecked Sendable {
    // Unchecked: `pool` is touched on the loop's thread only.

    let loop: EventLoop
    /// How many connections its pool should have.
    let share: Int
    /// Its index among the seats that have connections, and how many those are.
    private let index: Int
    private let holders: Int
    /// On the loop's thread; nil before the start and after the stop.
    var pool: ConnectionPool?

    // Written by the loop's thread, read by all.
    private let readyCount = Atomic<Int>(0)
    private let connectingCount = Atomic<Int>(0)
    private let queuedCount = Atomic<Int>(0)
    private let flowingCount = Atomic<Int>(0)
    private let spareCount = Atomic<Int>(0)
    /// Whether a neighbour's request for work is on its way here.
    private let isAsked = Atomic<Bool>(false)

    init(loop: EventLoop, share: Int, index: Int, of holders: Int) {
        self.loop = loop
        self.share = share
        self.index = index
        self.holders = max(1, holders)
    }

    /// How many of a group's `queries` may be under way here, when so many may be in all.
    func share(ofQueries queries: Int) -> Int {
        guard share > 0 else { return 0 }
        return queries / holders + (index < queries % holders ? 1 : 0)
    }

    /// Connections that take loads.
    var ready: Int { readyCount.load(ordering: .relaxed) }
    /// Attempts to connect.
    var connecting: Int { connectingCount.load(ordering: .relaxed) }
    /// Loads that wait.
    var queued: Int { queuedCount.load(ordering: .relaxed) }

    func publish(ready: Int, connecting: Int) {
        readyCount.store(ready, ordering: .relaxed)
        connectingCount.store(connecting, ordering: .relaxed)
    }

    func publish(queued: Int) {
        queuedCount.store(queued, ordering: .relaxed)
    }

    /// Connections that short queries can be sent to.
    var flowing: Int { flowingCount.load(ordering: .relaxed) }

    /// Whether one of them seems to be idle and not needed for others.
    var hasSpare: Bool { spareCount.load(ordering: .relaxed) > 0 }

    /// Takes one of the idle connections that a query of unknown length may have, as far as is known here; false when there
    /// is none.
    func takeSpare() -> Bool {
        guard hasSpare else { return false }
        return spareCount.subtract(1, ordering: .relaxed).oldValue > 0
    }

    func publish(flowing: Int, spare: Int) {
        flowingCount.store(flowing, ordering: .relaxed)
        spareCount.store(spare, ordering: .relaxed)
    }

    /// Lets a neighbour have what waits here, once at a time.
    func giveWork(to other: PoolSeat) {
        guard !isAsked.exchange(true, ordering: .relaxed) else { return }
        loop.submit { [self] in
            isAsked.store(false, ordering: .relaxed)
            pool?.giveWork(to: other)
        }
    }

    /// Starts a load here, from any thread.
    func start(_ load: consuming Load) {
        if loop.isCurrent { return startHere(load) }
        let parcel = Parcel(load)
        loop.submit { [self] in
            if let load = parcel.take() { startHere(load) }
        }
    }

    private func startHere(_ load: consuming Load) {
        guard let pool else {
            if let load = load.getter.forward(load, from: self) { load.fail(LoadError.stopped) }
            return
        }
        pool.start(load)
    }
}

/// Which pool a load goes to: that of the calling thread's loop, unless another one can do more for it.
final class Routing: Sendable {
    let seats: [PoolSeat]
    private let turn = Atomic<Int>(0)

    /// Shares `connections` out over `loops` as evenly as they go; with fewer than loops, some have none.
    init(loops: [EventLoop], connections: Int) {
        let count = max(1, loops.count)
        seats = loops.enumerated().map { index, loop in
            PoolSeat(
                loop: loop, share: connections / count + (index < connections % count ? 1 : 0), index: index,
                of: min(connections, count))
        }
    }

    /// The seat of the calling thread's loop; of a thread without one, each in turn. Nil when there is none.
    var seat: PoolSeat? {
        // It is found by its loop's index: the others need not be looked at.
        if let loop = EventLoop.current, loop.index < seats.count, seats[loop.index].loop === loop {
            return seats[loop.index]
        }
        return seats.isEmpty ? nil : seats[nextTurn() % seats.count]
    }

    /// Another seat that may have some of a group's `queries` and has a connection ready; else, for a seat that never gets
    /// any, one that will.
    func seat(insteadOf own: PoolSeat, forQueries queries: Int) -> PoolSeat? {
        let others = others(than: own).filter { $0.share(ofQueries: queries) > 0 }
        if let ready = others.first(where: { $0.ready > 0 }) { return ready }
        return own.share(ofQueries: queries) == 0 ? others.first : nil
    }

    /// Another seat that has room for such a query.
    func neighbour(of own: PoolSeat, takes query: NeighbourQuery) -> PoolSeat? {
        switch query {
        case .short: others(than: own).first { $0.flowing > 0 }
        case .unknown: others(than: own).first { $0.takeSpare() }
        }
    }

    /// Whether another seat has an idle connection to spare.
    func hasSpare(besides own: PoolSeat) -> Bool {
        seats.contains { $0 !== own && $0.hasSpare }
    }

    /// Asks another seat where loads wait for work for this one.
    func fetchWork(for own: PoolSeat) {
        others(than: own).first { $0.queued > 0 }?.giveWork(to: own)
    }

    /// Connections that take loads, of all seats.
    var ready: Int { seats.reduce(0) { $0 + $1.ready } }

    private func others(than own: PoolSeat) -> [PoolSeat] {
        let first = nextTurn()
        return (0..<seats.count).map { seats[(first + $0) % seats.count] }.filter { $0 !== own }
    }

    private func nextTurn() -> Int {
        turn.wrappingAdd(1, ordering: .relaxed).oldValue & .max
    }
}
