import CacheCore
import DequeModule
import EventLoop
import Groundwork

/// What a ``DatabaseConnection`` tells its pool.
protocol DatabaseConnectionOwner: AnyObject {
    /// There is room in the connection's pipeline again.
    func connectionHasRoom(_ connection: DatabaseConnection)
    /// The connection is closed. `loads` were not answered, oldest first; if `hung`, the oldest had its time.
    func connectionLost(_ connection: DatabaseConnection, _ loads: consuming UniqueDeque<Load>, _ loss: Loss)
    /// Its batch did not settle the load: it is to be sent by itself.
    func startUnbatched(_ load: consuming Load)
    /// A prepared statement's columns changed, so what the getter's group holds has an older shape.
    func schemaChanged(for getter: QueryGetter)
}

/// Why a connection was closed.
enum Loss {
    case broken(String)
    case hung
    /// Closed by us, when nothing was in flight.
    case outgrown
    /// The same, when its successor was there.
    case renewed

    /// For logs.
    var text: String {
        switch self {
        case .broken(let text): text
        case .hung: "no answer within load_timeout, nor to the request to cancel the query"
        case .outgrown: "libpq keeps the memory that a large query or result took"
        case .renewed: "another one was made in its place"
        }
    }
}

/// One database connection in pipeline mode, on the loop that made it. No call blocks.
final class DatabaseConnection: EventSource {
    private static let housekeepingTimeout = Duration.seconds(10)
    /// The most loads in a segment: up to as many are sent again when one of them is refused.
    static let segmentLoads = 16
    /// After a result or a query of more bytes than this the connection is replaced as soon as it is idle: libpq's buffers
    /// have grown to the largest message they ever had, and never shrink.
    private static let keptBytes = 16 << 20

    /// When it was opened.
    let openedAt: Instant
    /// Where it leads.
    let host: String
    /// Whether it is to be replaced by a new one.
    var isDue = false

    let loop: EventLoop
    let context: DatabaseContext
    private weak let owner: (any DatabaseConnectionOwner)?
    /// Nil from the moment it is lost or closed.
    var link: PQConnection?
    private var watch: DescriptorWatch?
    var pipeline: Pipeline
    /// Whether each segment has to declare that it only reads.
    private let saysReadOnly: Bool
    private var isOutgrown = false
    /// See `DatabaseConnection+Hang.swift`.
    var hangTimer: Timer?
    var hangTimerDue = Instant(nanoseconds: .max)
    var cancelDue: Instant?

    /// Takes over a fresh connection. Throws when it broke meanwhile or cannot be watched.
    init(
        _ session: consuming Session, on loop: EventLoop, context: DatabaseContext,
        owner: any DatabaseConnectionOwner
    )
        throws
    {
        guard session.link.startPipelining() else { throw ConnectError(description: session.link.errorText) }
        let descriptor = session.link.descriptor
        host = session.link.host
        self.loop = loop
        self.context = context
        self.owner = owner
        saysReadOnly = session.saysReadOnly
        pipeline = Pipeline(paces: context.paces, roundTrip: session.roundTrip)
        link = session.takeLink()
        openedAt = loop.now
        watch = try DescriptorWatch(descriptor, on: loop, source: self)
        context.hosts.came(host)
    }

    /// When it is to be replaced by a new one; nil: never. Spread out, so that connections that were made together don't
    /// end together.
    private(set) lazy var expiresAt: Instant? = context.settings.connectionLifetime.map {
        openedAt.advanced(byNanoseconds: Int64(Double($0.wholeNanoseconds) * .random(in: 0.9...1)))
    }

    /// Whether it takes loads.
    var isOpen: Bool { link != nil }

    // MARK: Sending

    /// Sends loads as one segment: in one transaction, with one sync behind all of them, so with one system call and one
    /// wake-up of the server's process, which cost more than a query for one row.
    ///
    /// Each answer leaves the server when its own command completes, because a flush request follows each command but the
    /// last, which the sync follows: without it sixteen fast answers would wait in the server's buffer for a slow
    /// seventeenth.
    func send(_ loads: consuming UniqueDeque<Load>, isUnknown: Bool) {
        guard isOpen else {
            while let load = loads.popFirst() {
                if isUnknown { context.paces[load.statementIndex].noteEndedUnknown() }
                load.fail { .unavailable($0, detail: nil) }
            }
            return
        }
        let now = Instant.now()
        var isSent = !saysReadOnly || sayReadOnly(at: now)
        while let load = loads.popFirst() {
            if load.byteCount > Self.keptBytes { isOutgrown = true }
            // What cannot be sent is noted all the same: its pool gets it back with the rest.
            isSent = queue(load, isUnknown: isUnknown, sends: isSent, at: now) && isSent
            if isSent, !loads.isEmpty { isSent = link?.sendFlushRequest() ?? false }
        }
        guard isSent else { return lose(.broken(link?.errorText ?? "")) }
        closeSegment()
    }

    /// Sends a load in a segment of its own, once more. Where it was refused says nothing of how long it takes when it is not:
    /// what its group's queries take tells whether others may be sent behind it.
    private func sendAlone(_ load: consuming Load) {
        let pace = context.paces[load.statementIndex]
        let isUnknown = !pace.isShort
        if isUnknown { _ = pace.noteUnknown() }
        var loads = UniqueDeque<Load>()
        loads.append(load)
        send(loads, isUnknown: isUnknown)
    }

    private func queue(_ load: consuming Load, isUnknown: Bool, sends: Bool, at now: Instant) -> Bool {
        if let keys = load.batch?.keys { return queue(load, keys, isUnknown: isUnknown, sends: sends, at: now) }
        let parts = load.parts
        return queue(load, parts, isUnknown: isUnknown, sends: sends, at: now)
    }

    private func queue(
        _ load: consuming Load, _ parameters: some QueryParameters, isUnknown: Bool, sends: Bool, at now: Instant
    ) -> Bool {
        let sql = load.statement.sql
        load.noteSent(at: now)
        guard sends, context.prepares, !load.isUnprepared else {
            pipeline.append(load, runsStatement: false, prepares: false, isUnknown: isUnknown, at: now)
            guard sends else { return false }
            context.counters.noteSent()
            return link?.sendQuery(sql, parameters) ?? false
        }
        context.counters.noteSent()
        let (name, needsPrepare) = pipeline.statement(of: load)
        pipeline.append(load, runsStatement: true, prepares: needsPrepare, isUnknown: isUnknown, at: now)
        if needsPrepare {
            guard link?.sendPrepare(name, sql) ?? false else { return false }
        }
        return link?.sendExecute(name, parameters) ?? false
    }

    /// Begins a segment with the order to refuse writes, for servers behind a pooler: what is set for the session would be
    /// another client's later.
    private func sayReadOnly(at now: Instant) -> Bool {
        pipeline.appendHousekeeping(timeout: Self.housekeepingTimeout, at: now)
        return link?.sendQuery(
            "select pg_catalog.set_config('transaction_read_only', 'on', true)", KeyParts.none) ?? false
    }

    /// Drops a statement that became stale. Its answer does not matter: it may be gone already.
    private func deallocate(_ name: String) {
        pipeline.appendHousekeeping(timeout: Self.housekeepingTimeout, at: Instant.now())
        guard link?.sendQuery("deallocate \"\(name)\"", KeyParts.none) ?? false else {
            return lose(.broken(link?.errorText ?? ""))
        }
        closeSegment()
    }

    /// Sends the sync of what was sent since the last one.
    private func closeSegment() {
        pipeline.closeSegment()
        guard link?.sendSync() ?? false else { return lose(.broken(link?.errorText ?? "")) }
        flush()
        watchForHang()
    }

    private func flush() {
        guard let flushed = link?.flush(), watch?.follow(flushed) == false else { return }
        lose(.broken(link?.errorText ?? ""))
    }

    // MARK: Receiving

    /// Reads what is there, then takes every answer that is complete.
    func ready(_ readiness: Readiness) {
        guard let input = link?.consumeInput() else { return }
        takeResults()
        switch input {
        case .done: break
        case .partly: loop.enqueue { [weak self] in self?.ready(.readable) }
        case .lost: return lose(.broken(link?.errorText ?? ""))
        }
        if watch?.waitsForWriting == true { flush() }
        watchForHang()
        if isOpen { owner?.connectionHasRoom(self) }
        closeIfDone()
    }

    /// Looks at the connection again in each turn: what a result sets off may send on it or close it.
    private func takeResults() {
        var endsInARow = 0
        while pipeline.isExpecting, let isBusy = link?.isBusy, !isBusy {
            guard let received = link?.nextResult() else {
                // One nil ends each command's results. Two in a row mean that libpq expects nothing more, though we do.
                endsInARow += 1
                if endsInARow == 2 { return lose(.broken(ConnectError.lostCount.description)) }
                continue
            }
            endsInARow = 0
            take(received)
        }
    }

    private func take(_ result: consuming PQResult) {
        switch result.status {
        case .rows:
            if result.byteCount > Self.keptBytes { isOutgrown = true }
            act(on: pipeline.receiveRows(result, at: loop.now))
        case .done: act(on: pipeline.receiveDone(at: loop.now))
        case .aborted: break
        case .error:
            let error = result.error
            if error.endsSession || link?.isBroken ?? true { return lose(.broken(error.message)) }
            context.circuit.sourceAnswered(at: loop.now)
            act(on: pipeline.receiveError(error, at: loop.now))
        case .sync:
            let unrun = pipeline.receiveSync(at: loop.now)
            var loads = unrun.loads
            while let load = loads.popFirst() { sendAlone(load) }
            ConnectionPool.drop(unrun.skipped)
        }
    }

    private func act(on completion: consuming Pipeline.Completion) {
        switch consume completion {
        case .nothing: break
        case .end(let load, let outcome): load.end(outcome)
        case .fail(let load, let error): load.fail { _ in error }
        case .endBatch(let load, let outcomes):
            Load.end(load.split(), outcomes) { owner?.startUnbatched($0) }
            loop.endRoundEarly()
        case .split(let load):
            var loads = load.split()
            while let load = loads.popFirst() { owner?.startUnbatched(load) }
        case .retry(let load):
            context.counters.noteRetry()
            sendAlone(load)
        case .retryUnprepared(let load):
            context.counters.noteRetry()
            context.noteLostStatement()
            sendAlone(load)
        case .retryAfterSchemaChange(let load, let stale):
            context.counters.noteRetry()
            owner?.schemaChanged(for: load.getter)
            deallocate(stale)
            sendAlone(load)
        }
    }

    /// Tells the pool that it takes loads again.
    func tellOfRoom() {
        owner?.connectionHasRoom(self)
    }

    /// The number of the query that others stand behind; nil: none do.
    var inFront: UInt64? { depth > 1 ? pipeline.answered : nil }
    /// What that was when its pool had its last look.
    var wasInFront: UInt64?

    /// Gives back the loads behind the one that the server runs.
    func takeBackBehindOldest() -> UniqueDeque<Load> {
        pipeline.takeBackBehindOldest()
    }

    // MARK: The end

    /// Takes no more loads, and closes when those that it has are answered.
    func retire() {
        pipeline.isRetiring = true
        closeIfDone()
    }

    /// Whether it takes no more loads.
    var isRetiring: Bool { pipeline.isRetiring }

    private func closeIfDone() {
        guard !pipeline.isExpecting else { return }
        if isRetiring { lose(.renewed) } else if isOutgrown { lose(.outgrown) }
    }

    func lose(_ loss: Loss) {
        guard isOpen else { return }
        shut()
        owner?.connectionLost(self, pipeline.takeLoads(), loss)
    }

    /// Closes it for good, and gives back the loads that were not answered.
    func close() -> UniqueDeque<Load> {
        shut()
        return pipeline.takeLoads()
    }

    private func shut() {
        if isOpen, watch != nil { context.hosts.left(host) }
        watch?.end()
        if let hangTimer { loop.cancel(hangTimer) }
        watch = nil
        hangTimer = nil
        link = nil
    }
}

extension DatabaseConnection: Occupied {
    var depth: Int { pipeline.lane.depth }
    func count(of getter: Int) -> Int { pipeline.lane.count(of: getter) }
    func flows(at now: Instant) -> Bool { pipeline.lane.flows(at: now) }
    /// The getter whose query runs longer than a short one would.
    func lateGetter(at now: Instant) -> Int? {
        pipeline.lane.isLate(at: now) ? pipeline.oldestGetter : nil
    }
    var isKeptFree: Bool {
        get { pipeline.isKeptFree }
        set { pipeline.isKeptFree = newValue }
    }
}
