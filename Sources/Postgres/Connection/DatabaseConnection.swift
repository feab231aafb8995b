import CacheCore
import DequeModule
import EventLoop
import Groundwork

/// What a ``DatabaseConnection`` tells its pool.
protocol DatabaseConnectionOwner: AnyObject {
    /// A place in the connection's pipeline became free.
    func connectionHasRoom(_ connection: DatabaseConnection)
    /// The connection is closed. `loads` were not answered, oldest first; if `hung`, the oldest had its time.
    func connectionLost(_ connection: DatabaseConnection, _ loads: consuming UniqueDeque<Load>, _ loss: Loss)
    /// Its batch left the answer open: it is to be asked for by itself.
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

    /// For logs.
    var text: String {
        switch self {
        case .broken(let text): text
        case .hung: "no answer within load_timeout"
        case .outgrown: "libpq keeps the memory that a large result took"
        }
    }
}

/// One database connection in pipeline mode, on the loop that made it. No call blocks.
final class DatabaseConnection: EventSource {
    /// Beyond a load's timeout, so that a statement timeout of the same length comes first.
    private static let grace = Duration.milliseconds(250)
    private static let housekeepingTimeout = Duration.seconds(10)
    /// Loads in a segment at most: as many as are sent again when one of them is refused.
    private static let segmentLoads = 16
    /// Bytes in a segment at most, the last load's excepted. libpq sends by itself when it has 8 KiB; below that a segment
    /// goes out whole, after the start of its last load. So even where one transaction has one snapshot (repeatable
    /// read), none of its loads reads what was there before it started, which its fence could not know.
    private static let segmentBytes = 6 << 10
    /// After a result of more bytes than this the connection is replaced as soon as it is idle: libpq's buffer has grown to
    /// the largest message it ever received, and never shrinks.
    private static let keptBytes = 16 << 20

    /// When it was opened.
    let openedAt: Instant

    private let loop: EventLoop
    private let context: DatabaseContext
    private unowned let owner: any DatabaseConnectionOwner
    /// Nil from the moment it is lost or closed.
    private var link: PQConnection?
    private var registration: Registration?
    private var pipeline: Pipeline
    /// About how much was sent in the open segment.
    private var openBytes = 0
    private var isOutgrown = false
    private var waitsForWriting = false
    private var hangTimer: Timer?
    private var hangTimerDue = Instant(nanoseconds: .max)

    /// Takes over a fresh connection. Throws when it broke meanwhile or cannot be watched.
    init(
        _ link: consuming PQConnection, on loop: EventLoop, context: DatabaseContext, owner: any DatabaseConnectionOwner
    )
        throws
    {
        guard link.startPipelining() else { throw ConnectError(description: link.errorText) }
        let descriptor = link.descriptor
        self.loop = loop
        self.context = context
        self.owner = owner
        self.link = consume link
        openedAt = loop.now
        pipeline = Pipeline(getterCount: context.getters.count)
        registration = try loop.register(descriptor, for: .readable, source: self)
    }

    /// The number of answers that are due.
    var depth: Int { pipeline.depth }

    /// How many queries of the getter at `place` are due.
    func count(at place: Int) -> Int { pipeline.counts[place] }

    /// Whether it takes loads.
    var isOpen: Bool { link != nil }

    // MARK: Sending

    /// Whether the next load costs no sync of its own.
    var isFilling: Bool { pipeline.openCount > 0 }

    /// Sends a load, behind the Parse of its statement when this connection has not got it yet.
    ///
    /// The loads of one round share a sync, and with it the system call and the waking of the server's process, which cost
    /// more than the query of a row. The sync follows at the round's end, or when the segment is full.
    func send(_ load: consuming Load) {
        guard isOpen else { return load.fail { .unavailable($0, detail: nil) } }
        // One that was refused before, or was lost together with others, shall not harm others again.
        let isAlone = load.isAlone || load.isRetry || waitsForWriting
        let sendsSQL = !context.settings.prepare || !pipeline.hasStatement(at: load.statementPlace)
        let byteCount = load.byteCount + (sendsSQL ? load.statement.sql.utf8.count : 0)
        if isFilling, isAlone || openBytes + byteCount > Self.segmentBytes { closeSegment() }
        guard isOpen else { return load.fail { .unavailable($0, detail: nil) } }
        if !isFilling, !isAlone { loop.enqueue { [weak self] in self?.closeSegment() } }
        openBytes += byteCount
        guard queue(load) else { return lose(.broken(link?.errorText ?? "")) }
        if isAlone || pipeline.openCount >= Self.segmentLoads || openBytes > Self.segmentBytes { closeSegment() }
    }

    private func queue(_ load: consuming Load) -> Bool {
        if let keys = load.batch?.keys { return queue(load, keys) }
        let parts = load.parts
        return queue(load, parts)
    }

    private func queue(_ load: consuming Load, _ parameters: some QueryParameters) -> Bool {
        let sql = load.statement.sql
        context.gauges.noteSent()
        guard context.settings.prepare else {
            pipeline.append(load, runsStatement: false, prepares: false, at: loop.now)
            return link?.sendQuery(sql, parameters) ?? false
        }
        let (name, needsPrepare) = pipeline.statement(of: load)
        pipeline.append(load, runsStatement: true, prepares: needsPrepare, at: loop.now)
        if needsPrepare {
            guard link?.sendPrepare(name, sql) ?? false else { return false }
        }
        return link?.sendExecute(name, parameters) ?? false
    }

    /// Drops a statement that became stale. Its answer does not matter: it may be gone already.
    private func deallocate(_ name: String) {
        closeSegment()
        pipeline.appendHousekeeping(timeout: Self.housekeepingTimeout, at: loop.now)
        guard link?.sendQuery("deallocate \(name)", KeyParts.none) ?? false else {
            return lose(.broken(link?.errorText ?? ""))
        }
        closeSegment()
    }

    /// Sends the sync of what was sent since the last one.
    private func closeSegment() {
        guard isOpen, isFilling else { return }
        openBytes = 0
        pipeline.closeSegment()
        guard link?.sendSync() ?? false else { return lose(.broken(link?.errorText ?? "")) }
        flush()
        watchForHang()
    }

    private func flush() {
        guard let flushed = link?.flush() else { return }
        switch flushed {
        case .done: waitForWriting(false)
        case .partly: waitForWriting(true)
        case .failed: lose(.broken(link?.errorText ?? ""))
        }
    }

    private func waitForWriting(_ waits: Bool) {
        guard waits != waitsForWriting, let registration else { return }
        waitsForWriting = waits
        loop.update(registration, for: waits ? [.readable, .writable] : .readable)
    }

    // MARK: Receiving

    /// Reads once, then takes every answer that is complete.
    func ready(_ readiness: Readiness) {
        guard let isConnected = link?.consumeInput() else { return }
        takeResults()
        guard isConnected else { return lose(.broken(link?.errorText ?? "")) }
        if waitsForWriting { flush() }
        watchForHang()
        if isOpen { owner.connectionHasRoom(self) }
        if isOutgrown, !pipeline.isExpecting { lose(.outgrown) }
    }

    /// Each turn looks at the connection anew: what a result sets off may send on it or close it.
    private func takeResults() {
        var endsInARow = 0
        while pipeline.isExpecting, let isBusy = link?.isBusy, !isBusy {
            guard let received = link?.nextResult() else {
                // One end follows each command. Two tell that libpq expects nothing more, and we do.
                endsInARow += 1
                if endsInARow == 2 { return lose(.broken("the connection lost count of its answers")) }
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
            act(on: pipeline.receiveError(error, at: loop.now))
        case .sync:
            var unrun = pipeline.receiveSync(at: loop.now)
            while let load = unrun.popFirst() { send(load) }
        }
    }

    private func act(on completion: consuming Pipeline.Completion) {
        switch consume completion {
        case .nothing: break
        case .end(let load, let outcome): load.end(outcome)
        case .fail(let load, let error): load.fail { _ in error }
        case .endBatch(let load, let outcomes):
            var loads = load.split()
            for outcome in outcomes {
                guard let load = loads.popFirst() else { return }
                if let outcome { load.end(outcome) } else { owner.startUnbatched(load) }
            }
            loop.endRoundEarly()
        case .split(let load):
            var loads = load.split()
            while let load = loads.popFirst() { owner.startUnbatched(load) }
        case .retry(let load):
            context.gauges.noteRetry()
            send(load)
        case .retryAfterSchemaChange(let load, let stale):
            context.gauges.noteRetry()
            owner.schemaChanged(for: load.getter)
            deallocate(stale)
            send(load)
        }
    }

    // MARK: A hung database

    /// One timer for the oldest load. It is set anew only when it would come too late; coming too early costs one look.
    private func watchForHang() {
        guard let deadline = pipeline.deadline.map({ $0 + Self.grace }), isOpen else { return }
        guard deadline < hangTimerDue else { return }
        if let hangTimer { loop.cancel(hangTimer) }
        hangTimerDue = deadline
        hangTimer = loop.schedule(at: deadline) { [weak self] in self?.hangTimerFired() }
    }

    private func hangTimerFired() {
        hangTimer = nil
        hangTimerDue = Instant(nanoseconds: .max)
        if let deadline = pipeline.deadline, deadline + Self.grace <= loop.now {
            context.circuit.sourceWasSilent(since: pipeline.waitsSince ?? loop.now, at: loop.now)
            cancelOnServer()
            lose(.hung)
        } else {
            watchForHang()
        }
    }

    /// Asks the server to stop what it runs for us: closing the socket does not. On a thread, since it blocks, and only
    /// so many at once, since they wait for as long as the server hangs.
    private func cancelOnServer() {
        guard let cancel = link?.makeCancel(), context.gauges.beginCancel() else { return }
        let parcel = Parcel(cancel)
        let gauges = context.gauges
        let isStarted = runDetached {
            parcel.take()?.send()
            gauges.endCancel()
        }
        if !isStarted { gauges.endCancel() }
    }

    // MARK: The end

    private func lose(_ loss: Loss) {
        guard isOpen else { return }
        shut()
        owner.connectionLost(self, pipeline.takeLoads(), loss)
    }

    /// Closes it for good, and gives back the loads that were not answered.
    func close() -> UniqueDeque<Load> {
        shut()
        return pipeline.takeLoads()
    }

    private func shut() {
        if let registration { loop.deregister(registration) }
        if let hangTimer { loop.cancel(hangTimer) }
        registration = nil
        hangTimer = nil
        link = nil
    }
}
