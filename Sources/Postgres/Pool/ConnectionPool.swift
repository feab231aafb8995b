import CacheCore
import DequeModule
import EventLoop
import Groundwork
import Logging

/// One loop's share of the database connections, and the loads that wait for one. On its loop's thread only.
///
/// What starts in a round waits for the round's end, or until it fills a segment or a batch; then ``Placement`` says where
/// it goes. What finds no connection waits here, by group, for whichever becomes free first, on this loop or another.
final class ConnectionPool: DatabaseConnectionOwner {
    let loop: EventLoop
    let context: DatabaseContext
    let seat: PoolSeat
    let routing: Routing
    var state: PoolState
    var connections: [DatabaseConnection] = []
    /// By getter.
    let queues: [LoadQueue]
    /// The getters that have something waiting; they take turns.
    var turns = Deque<Int>()
    private var isDispatchDue = false
    /// Whether another database takes the loads, except those of getters that it does not have.
    private(set) var isRetired = false
    /// Called once it is retired and nothing waits or is in flight here.
    private var whenIdle: (@Sendable () -> Void)?
    /// Whether something waits for a connection that is kept free.
    private var isKeeping = false
    private var queueTimer: (timer: Timer, due: Instant)?
    private var lookTimer: Timer?
    /// See `ConnectionPool+TakingBack.swift`.
    var takeBackTimer: Timer?
    var retryTimer: Timer?
    var renewal = Renewal()

    init(on seat: PoolSeat, routing: Routing, context: DatabaseContext) {
        loop = seat.loop
        self.seat = seat
        self.routing = routing
        self.context = context
        state = PoolState(share: seat.share)
        queues = context.getters.map { _ in LoadQueue() }
    }

    func start() {
        act(on: state.start())
    }

    /// Closes every connection, which fails every load, and has the server cancel what it still runs. Returns how many
    /// requests that takes; `completion` is called at the end of each.
    func close(_ completion: @escaping @Sendable () -> Void) -> Int {
        state.close()
        if let retryTimer { loop.cancel(retryTimer) }
        if let takeBackTimer { loop.cancel(takeBackTimer) }
        if let queueTimer { loop.cancel(queueTimer.timer) }
        endRenewal("the connections were closed")
        retryTimer = nil
        takeBackTimer = nil
        queueTimer = nil
        let closing = connections
        connections = []
        var cancels = 0
        for connection in closing {
            if connection.depth > 0, let cancel = connection.link?.makeCancel(),
                context.counters.cancel(cancel, completion)
            {
                cancels += 1
            }
            var lost = connection.close()
            while let load = lost.popFirst() { load.fail(LoadError.stopped) }
        }
        for queue in queues {
            var waiting = queue.takeAll()
            while let load = waiting.popFirst() { load.fail(LoadError.stopped) }
        }
        publish()
        whenIdle?()
        whenIdle = nil
        return cancels
    }

    // MARK: A successor

    /// Sends what waits to the database that has the getters now, as it does with all that comes. What is in flight goes on here,
    /// and so does what that database does not know.
    func retire() {
        isRetired = true
        seat.publish(flowing: 0, spare: 0)
        reconsiderQueue()
    }

    /// Calls `done` once nothing waits here, nor is in flight.
    func onIdle(_ done: @escaping @Sendable () -> Void) {
        whenIdle = done
        dispatchAtRoundEnd()
    }

    private func tellIfIdle() {
        guard let done = whenIdle, turns.isEmpty, connections.allSatisfy({ $0.depth == 0 }) else { return }
        whenIdle = nil
        done()
    }

    // MARK: Loads

    /// Takes a load on; or hands it to a loop that has a connection when this one has none.
    func start(_ load: consuming Load) {
        guard isRetired else { return startHere(load) }
        if let load = load.getter.forward(load, from: seat) { startHere(load) }
    }

    private func startHere(_ load: consuming Load) {
        if load.startedAt.nanoseconds == 0 { load.startedAt = loop.now }
        let getter = load.getterIndex
        let hasShare = seat.share(ofQueries: context.queries(of: getter)) > 0
        if !hasShare || state.ready == 0, !load.isHandedOver, !isRetired,
            let other = routing.seat(insteadOf: seat, forQueries: context.queries(of: getter))
        {
            load.isHandedOver = true
            return other.start(load)
        }
        if state.isDown || state.share == 0 {
            return load.fail { .unavailable($0, detail: context.counters.lastError) }
        }
        let queue = queues[getter]
        guard queue.count < context.queueLimit(of: getter) else { return load.fail(LoadError.tooManyWaiting) }
        queue.append(load)
        list(getter)
        // The database need not wait for the rest of a round.
        if queue.count % turnSize(of: getter) == 0 {
            while sendTurn(of: getter) {}
        }
        dispatchAtRoundEnd()
    }

    private func list(_ getter: Int) {
        guard !queues[getter].isListed else { return }
        queues[getter].isListed = true
        turns.append(getter)
    }

    private func turnSize(of getter: Int) -> Int {
        context.getters[getter].batch?.max ?? DatabaseConnection.segmentLoads
    }

    /// Lets what waits have another look at the connections when this round ends; until then more may come.
    func dispatchAtRoundEnd() {
        guard !isDispatchDue else { return }
        isDispatchDue = true
        loop.enqueue { [weak self] in
            self?.isDispatchDue = false
            self?.dispatch()
        }
    }

    /// Sends what waits, a segment or a batch of each getter in turn, until nothing more can be sent.
    private func dispatch() {
        isKeeping = false
        var stuck = 0
        while stuck < turns.count, let getter = turns.popFirst() {
            stuck = sendTurn(of: getter, isRoundEnd: true) ? 0 : stuck + 1
            if queues[getter].isEmpty {
                queues[getter].isListed = false
            } else {
                turns.append(getter)
            }
        }
        if !isKeeping { for connection in connections { connection.isKeptFree = false } }
        if !turns.isEmpty {
            if !isRetired { handOver() }
            expectDeadlines()
            lookAgain()
        }
        fetchWork()
        tellIfIdle()
    }

    /// Sends one segment or one batch of a getter's loads. False when nothing can be sent now.
    private func sendTurn(of getter: Int, isRoundEnd: Bool = false) -> Bool {
        let queue = queues[getter]
        guard let next = queue.next, let limits = limits(of: getter, next, isRoundEnd: isRoundEnd) else { return false }
        let connection: DatabaseConnection
        switch placement.choose(limits.query, among: connections, at: loop.now) {
        case .connection(let index): connection = connections[index]
        case .waits(let toKeepFree):
            if isRoundEnd, let toKeepFree { keepFree(connections[toKeepFree]) }
            return false
        }
        guard limits.query.isShort || claim(limits.query, of: limits.pace) else { return false }
        let room = limits.query.isShort ? context.settings.pipelineDepth - connection.depth : 1
        let taken = queue.take(next, next == .batchable ? limits.count : min(limits.count, room), at: loop.now)
        var loads = taken.loads
        // Nobody wanted them: that is progress, too.
        guard var first = loads.popFirst() else {
            if !limits.query.isShort { limits.pace.noteEndedUnknown() }
            Self.drop(taken.unwanted)
            return true
        }
        if next == .batchable, !loads.isEmpty {
            first.lead(loads)
            loads = UniqueDeque()
        }
        loads.prepend(first)
        connection.isKeptFree = false
        connection.send(loads, isUnknown: !limits.query.isShort)
        watchThoseBehind()
        Self.drop(taken.unwanted)
        return true
    }

    /// Drops loads that nobody wants. Their groups' gates let others through, which come here before this returns.
    static func drop(_ unwanted: consuming UniqueDeque<Load>) {}

    /// Counts a query of unknown length, which its connection's pipeline takes off the count when it is over. False when
    /// another loop's pool took what was left to the group meanwhile.
    private func claim(_ query: Placement.Query, of pace: Pace) -> Bool {
        var now = query
        now.held = max(query.held, pace.noteUnknown())
        if connections.count > 1 || placement.leavesOne(now) { return true }
        pace.noteEndedUnknown()
        return false
    }

    var placement: Placement {
        Placement(depthLimit: context.settings.pipelineDepth, connectionsInAll: routing.ready)
    }

    /// One connection at a time is kept for a query that needs an idle one.
    private func keepFree(_ connection: DatabaseConnection) {
        isKeeping = true
        guard !connections.contains(where: { $0.isKeptFree }) else { return }
        connection.isKeptFree = true
    }

    /// How many loads may go out together, and what the choice of their connection has to know. Nil when none may go now.
    ///
    /// A batch that is not full is not sent to where one of its group is under way: it goes on gathering until one of them
    /// returns. No timer: the wait is the database's. A full one gains nothing by waiting, and may be sent behind another
    /// one of its group, so that the server has it at hand.
    private func limits(
        of getter: Int, _ next: LoadQueue.Next, isRoundEnd: Bool
    ) -> (count: Int, query: Placement.Query, pace: Pace)? {
        let queue = queues[getter]
        let isBatch = next == .batchable || next == .alone && queue.isBatchNext
        let pace = context.paces[Load.statementIndex(of: getter, isBatch: isBatch)]
        let isLate = connections.contains { $0.lateGetter(at: loop.now) == getter }
        var query = Placement.Query(getter: getter, isShort: pace.isShort && !isLate, held: context.held(by: getter))
        guard let batch = context.getters[getter].batch else { return (DatabaseConnection.segmentLoads, query, pace) }
        let underWay = connections.reduce(0) { $0 + $1.count(of: getter) }
        let left = seat.share(ofQueries: context.queries(of: getter)) - underWay
        guard left > 0 else { return nil }
        guard next == .batchable else { return (min(left, DatabaseConnection.segmentLoads), query, pace) }
        let isFull = queue.batchableCount >= batch.max
        guard isFull || isRoundEnd else { return nil }
        query.ownLimit = isFull ? 1 : 0
        query.mayFollowOwn = isFull && pace.isBrisk
        return (batch.max, query, pace)
    }

    // MARK: Waiting

    /// Takes all that waits through ``start(_:)`` again: the state changed.
    func reconsiderQueue() {
        for (getter, queue) in queues.enumerated() where !queue.isEmpty {
            var waiting = queue.takeAll()
            while let load = waiting.popFirst() {
                // Who asked may have gone while it waited; once it is gathered again, nobody looks.
                if load.isWanted(at: loop.now) { start(load) }
            }
            if !queue.isEmpty { list(getter) }
        }
    }

    /// What waits although a connection is idle waits for something on another loop, which nobody tells this one of.
    private func lookAgain() {
        guard lookTimer == nil, connections.contains(where: { $0.depth == 0 }) else { return }
        lookTimer = loop.schedule(at: loop.now + .milliseconds(5)) { [weak self] in
            self?.lookTimer = nil
            self?.dispatchAtRoundEnd()
        }
    }

    /// One timer for the load that gives up first.
    private func expectDeadlines() {
        guard let deadline = turns.lazy.compactMap({ self.queues[$0].deadline }).min() else { return }
        if let queueTimer {
            guard deadline < queueTimer.due else { return }
            loop.cancel(queueTimer.timer)
        }
        queueTimer = (loop.schedule(at: deadline) { [weak self] in self?.failOverdue() }, deadline)
    }

    /// Those who wait for a load hear what it waited for.
    private func failOverdue() {
        queueTimer = nil
        let holders = state.ready > 0 ? holders() : []
        for getter in turns {
            while let load = queues[getter].popOverdue(at: loop.now) {
                let time = Duration.nanoseconds(load.timeout)
                if state.ready > 0 {
                    load.fail { .waitedBehind(holders, $0, for: time) }
                } else {
                    load.fail { .unavailable($0, detail: context.counters.lastError) }
                }
            }
        }
        dispatchAtRoundEnd()
    }

    /// The names of the groups whose queries others wait for.
    private func holders() -> [String] {
        context.getters.indices.filter { getter in
            connections.contains { !$0.flows(at: loop.now) && $0.count(of: getter) > 0 }
        }.map { context.getters[$0].name }
    }

    // MARK: What connections tell

    func startUnbatched(_ load: consuming Load) {
        load.isUnbatched = true
        start(load)
    }

    func connectionHasRoom(_ connection: DatabaseConnection) {
        if turns.isEmpty, whenIdle == nil { fetchWork() } else { dispatchAtRoundEnd() }
    }

    func schemaChanged(for getter: QueryGetter) {
        context.logger.warning("the result's columns changed; what the group holds is dropped", for: getter)
        context.onSchemaChange(getter.name)
    }

    func connectionLost(_ connection: DatabaseConnection, _ loads: consuming UniqueDeque<Load>, _ loss: Loss) {
        connections.removeAll { $0 === connection }
        switch loss {
        case .broken: note(loss, of: connection)
        case .hung:
            note(loss, of: connection)
            if let oldest = loads.popFirst() { oldest.fail(LoadError.hung) }
        case .outgrown:
            context.logger.info("database connection replaced", metadata: ["reason": "\(loss.text)"])
            act(on: state.gaveUp())
        case .renewed:
            context.logger.info("database connection replaced", metadata: ["reason": "\(loss.text)"])
            act(on: state.gaveUp())
            renewNext()
        }
        while let load = loads.popFirst() { startAgain(load) }
        if renewal.done != nil { renewNext() }
        if state.ready == 0 { reconsiderQueue() }
        // Those that waited for this connection may go to another one.
        dispatchAtRoundEnd()
    }

    private func note(_ loss: Loss, of connection: DatabaseConnection) {
        context.counters.noteLoss(loss)
        context.logger.warning("database connection lost", metadata: ["reason": "\(loss.text)"])
        act(on: state.lost(after: loop.now - connection.openedAt))
    }

    /// Nobody knows how far a load came that was lost on its way. A second try is safe, as getters only read; a third
    /// one would be part of a storm.
    private func startAgain(_ load: consuming Load) {
        if load.isRetry { return load.fail { .unavailable($0, detail: context.counters.lastError) } }
        guard load.isWanted(at: loop.now) else { return }
        load.isRetry = true
        load.startedAt = loop.now
        context.counters.noteRetry()
        start(load)
    }
}
