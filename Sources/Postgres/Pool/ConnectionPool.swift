import CacheCore
import DequeModule
import EventLoop
import Groundwork
import Logging

/// One loop's share of the database connections, and the loads that wait for a place in their pipelines.
/// On its loop's thread only.
final class ConnectionPool: DatabaseConnectionOwner {
    private let loop: EventLoop
    private let context: DatabaseContext
    private let seat: PoolSeat
    private unowned let routing: Routing
    private var state: PoolState
    private var connections: [DatabaseConnection] = []
    /// The connection that the last load went to.
    private var filling: DatabaseConnection?
    private var queue = UniqueDeque<Load>()
    /// By getter; only those with a batch query gather.
    private let gatherings: [Gathering]
    private var gathered = 0
    private var retryTimer: Timer?

    init(on seat: PoolSeat, routing: Routing, context: DatabaseContext) {
        loop = seat.loop
        self.seat = seat
        self.routing = routing
        self.context = context
        state = PoolState(share: seat.share)
        gatherings = context.getters.map { _ in Gathering() }
    }

    func start() {
        act(on: state.start())
    }

    /// Closes every connection; every load fails.
    func close() {
        state.close()
        if let retryTimer { loop.cancel(retryTimer) }
        retryTimer = nil
        let closing = connections
        connections = []
        filling = nil
        for connection in closing {
            var lost = connection.close()
            while let load = lost.popFirst() { load.fail(LoadError.stopped) }
        }
        queueGathered()
        while let load = queue.popFirst() { load.fail(LoadError.stopped) }
        publish()
    }

    // MARK: Loads

    /// Sends a load on a connection that has room; or hands it to a loop that has a connection when this one
    /// has none; or queues it while one can be expected.
    func start(_ load: consuming Load) {
        if let batch = load.getter.batch {
            let hasQueries = seat.share(ofQueries: batch.queries) > 0
            if !hasQueries, !load.isHandedOver, let other = routing.seat(forQueries: batch.queries) {
                load.isHandedOver = true
                return other.start(load)
            }
            if hasQueries, load.isBatchable || load.isUnbatched, state.ready > 0,
                gathered + queue.count < context.settings.queuedLoads
            {
                return gather(load)
            }
        }
        if queue.isEmpty, let connection = nextConnection() { return connection.send(load) }
        if state.ready == 0, !load.isHandedOver, let other = routing.seat(insteadOf: seat) {
            load.isHandedOver = true
            return other.start(load)
        }
        if state.isDown || state.share == 0 {
            return load.fail { .unavailable($0, detail: context.gauges.lastError) }
        }
        guard queue.count < context.settings.queuedLoads else { return load.fail(LoadError.tooManyWaiting) }
        queue.append(load)
        seat.publish(queued: queue.count)
    }

    /// The connection whose segment is being filled, so that as many loads as can be share it; else the one with the
    /// least in flight.
    private func nextConnection() -> DatabaseConnection? {
        let limit = context.settings.pipelineDepth
        if let filling, filling.isFilling, filling.depth < limit { return filling }
        filling = leastBusy()
        return filling
    }

    private func leastBusy() -> DatabaseConnection? {
        var best: DatabaseConnection?
        var leastDepth = context.settings.pipelineDepth
        for connection in connections where connection.depth < leastDepth {
            best = connection
            leastDepth = connection.depth
        }
        return best
    }

    /// Sends what waits as far as there is room. A load that nobody wants any more is dropped here, before it costs the
    /// database anything.
    private func pump() {
        if gathered > 0 {
            for place in gatherings.indices { sendGathered(at: place) }
        }
        guard !queue.isEmpty else { return }
        while let connection = nextConnection(), let load = queue.popFirst() {
            if load.isWanted(at: loop.now) { connection.send(load) }
        }
        seat.publish(queued: queue.count)
    }

    /// Takes all that waits and is still wanted through ``start(_:)`` again: the state changed.
    private func reconsiderQueue() {
        var waiting = UniqueDeque<Load>()
        queueGathered()
        swap(&waiting, &queue)
        while let load = waiting.popFirst() {
            // Who asked may have gone while it waited; once it is gathered again, nobody looks.
            if load.isWanted(at: loop.now) { start(load) }
        }
        seat.publish(queued: queue.count)
    }

    // MARK: Batches

    /// Keeps a load for the end of this round, or until they fill a batch: the database need not wait for the rest.
    private func gather(_ load: consuming Load) {
        let place = load.place
        let gathering = gatherings[place]
        if load.isUnbatched { gathering.unbatched.append(load) } else { gathering.loads.append(load) }
        gathered += 1
        if !gathering.isDueAtRoundEnd {
            gathering.isDueAtRoundEnd = true
            loop.enqueue { [weak self] in
                gathering.isDueAtRoundEnd = false
                self?.sendGathered(at: place)
            }
        }
        if gathering.loads.count >= context.getters[place].batch?.max ?? .max { sendGathered(at: place) }
    }

    /// Sends what gathered for a group as one query, unless as many of its queries are under way as there are
    /// connections: then it goes on gathering until one of them returns. No timer: the wait is the database's. A full batch
    /// does not get better by waiting; one more a connection is sent, so that the server has its next one at hand.
    private func sendGathered(at place: Int) {
        sendUnbatched(at: place)
        let gathering = gatherings[place]
        guard let batch = context.getters[place].batch else { return }
        defer { gathering.hasWaited = !gathering.loads.isEmpty && (gathering.hasWaited || !gathering.isDueAtRoundEnd) }
        while !gathering.loads.isEmpty {
            let isFull = gathering.loads.count >= batch.max
            guard isFull || !gathering.isDueAtRoundEnd, hasTurn(place, isFull: isFull), let connection = leastBusy()
            else { return }
            var loads = UniqueDeque<Load>()
            while loads.count < batch.max, let load = gathering.loads.popFirst() {
                gathered -= 1
                if !gathering.hasWaited || load.isWanted(at: loop.now) { loads.append(load) }
            }
            guard var first = loads.popFirst() else { continue }
            if !loads.isEmpty { first.lead(loads) }
            connection.send(first)
        }
    }

    private func hasTurn(_ place: Int, isFull: Bool) -> Bool {
        let underWay = underWay(at: place)
        return underWay < connections.count * (isFull ? 2 : 1) && underWay < queryLimit(at: place)
    }

    /// Sends what batches left open, each by itself.
    private func sendUnbatched(at place: Int) {
        let gathering = gatherings[place]
        while !gathering.unbatched.isEmpty, underWay(at: place) < queryLimit(at: place),
            let connection = nextConnection(), let load = gathering.unbatched.popFirst()
        {
            gathered -= 1
            if load.isWanted(at: loop.now) { connection.send(load) }
        }
    }

    /// How many queries of a group are under way here, and how many may be.
    private func underWay(at place: Int) -> Int { connections.reduce(0) { $0 + $1.count(at: place) } }
    private func queryLimit(at place: Int) -> Int {
        seat.share(ofQueries: context.getters[place].batch?.queries ?? .max)
    }

    /// Puts what gathered behind what waits.
    private func queueGathered() {
        for gathering in gatherings {
            while let load = gathering.unbatched.popFirst() { queue.append(load) }
            while let load = gathering.loads.popFirst() { queue.append(load) }
        }
        gathered = 0
    }

    // MARK: What connections tell

    func startUnbatched(_ load: consuming Load) {
        load.isUnbatched = true
        start(load)
    }

    func connectionHasRoom(_ connection: DatabaseConnection) {
        pump()
    }

    func schemaChanged(for getter: QueryGetter) {
        context.logger.warning("the result's columns changed; what the group holds is dropped", for: getter)
        context.onSchemaChange(getter.name)
    }

    func connectionLost(_ connection: DatabaseConnection, _ loads: consuming UniqueDeque<Load>, _ loss: Loss) {
        connections.removeAll { $0 === connection }
        if filling === connection { filling = nil }
        switch loss {
        case .broken: note(loss, of: connection)
        case .hung:
            note(loss, of: connection)
            if let oldest = loads.popFirst() { oldest.fail(LoadError.hung) }
        case .outgrown:
            context.logger.info("database connection replaced", metadata: ["reason": "\(loss.text)"])
            act(on: state.gaveUp())
        }
        while let load = loads.popFirst() { startAgain(load) }
        if state.ready == 0, gathered > 0 { reconsiderQueue() }
    }

    private func note(_ loss: Loss, of connection: DatabaseConnection) {
        context.gauges.noteLoss(loss)
        context.logger.warning("database connection lost", metadata: ["reason": "\(loss.text)"])
        act(on: state.lost(after: loop.now - connection.openedAt))
    }

    /// Nobody knows how far a load came that was lost on its way. A second try is safe, as getters only read; a third
    /// one would be part of a storm.
    private func startAgain(_ load: consuming Load) {
        if load.isRetry { return load.fail { .unavailable($0, detail: context.gauges.lastError) } }
        guard load.isWanted(at: loop.now) else { return }
        load.isRetry = true
        context.gauges.noteRetry()
        start(load)
    }

    // MARK: Connecting

    private func act(on action: PoolState.Action) {
        switch action {
        case .nothing: break
        case .connect(let count):
            for _ in 0..<count { connect() }
        case .retry(let delay):
            retryTimer = loop.schedule(at: loop.now + delay) { [weak self] in
                guard let self else { return }
                retryTimer = nil
                act(on: state.retryDue())
            }
        }
        publish()
    }

    private func connect() {
        let seat = seat
        let began = loop.now
        let isStarted = connectDetached(context) { result in
            seat.loop.submit { seat.pool?.attemptEnded(result, began: began) }
        }
        if !isStarted {
            loop.enqueue { [weak self] in self?.attemptFailed("no thread to connect on") }
        }
    }

    private func attemptEnded(_ result: Result<Parcel<PQConnection>, ConnectError>, began: Instant) {
        do {
            guard let link = try result.get().take() else { return }
            let version = link.serverVersion
            connections.append(try DatabaseConnection(link, on: loop, context: context, owner: self))
            context.gauges.noteConnected()
            context.circuit.sourceAnswered(at: loop.now)
            context.logger.info("database connection ready", metadata: ["server": "\(version)"])
            act(on: state.connected())
            reconsiderQueue()
        } catch {
            context.circuit.sourceWasSilent(since: began, at: loop.now)
            attemptFailed("\(error)")
        }
    }

    private func attemptFailed(_ text: String) {
        context.gauges.noteFailure(text)
        context.logger.warning("no database connection", metadata: ["reason": "\(text)"])
        act(on: state.attemptFailed())
        if state.isDown { reconsiderQueue() }
    }

    /// Shows others what this loop's thread knows.
    private func publish() {
        seat.publish(ready: state.ready, connecting: state.connecting)
    }
}

/// Loads of one group that go out together.
private final class Gathering {
    var loads = UniqueDeque<Load>()
    /// Those that a batch left open: they go out each by itself.
    var unbatched = UniqueDeque<Load>()
    /// Whether they are looked at when the round ends; until then more may come.
    var isDueAtRoundEnd = false
    /// Whether some of them came in an earlier round: who asked for them may be gone.
    var hasWaited = false
}
