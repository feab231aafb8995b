public import CacheCore
public import EventLoop
public import Groundwork
public import Logging
public import Postgres
import Synchronization

/// Hears what changes in the database and invalidates what that concerns: the stream of one ``InvalidationSettings/Source``,
/// for all groups that depend on tables.
///
/// It has a loop of its own, so that however much changes, and whatever the stream waits for, no client's loop is held up. The
/// order is always: subscribe, flush, store.
public final class ChangeStream: @unchecked Sendable {
    // Unchecked: the fields under "loop's thread" are touched on that thread only; the others are immutable or synchronised.

    private let loop: EventLoop
    private let logger: Logger
    private let settings: InvalidationSettings
    private var kind: InvalidationSettings.Source { settings.source }
    private let told: Groundwork.Mutex<[Group]>
    private let hasStarted = Atomic<Bool>(false)
    /// All that was committed up to it is applied; 0 while nobody knows.
    private let applied = Atomic<UInt64>(0)
    private let published = Groundwork.Mutex(StreamStatus())
    /// Those who wait for the end of the first attempt; nil: it ended.
    private let first = Groundwork.Mutex<[CheckedContinuation<Void, Never>]?>([])

    // Loop's thread.
    private var onTrust: @Sendable (Bool) -> Void = { _ in }
    private var state: StreamState
    private var applier: ChangeApplier
    private var catchUps = CatchUps()
    private var source: (any ChangeSource)?
    private var timer: (timer: Timer, due: Instant)?
    private var beatSent: Instant?
    /// Whether somebody asked for a sign of life while another one was under way, which may say too little.
    private var wantsBeat = false

    /// A stream of `settings.source`, not yet started.
    ///
    /// - Parameters:
    ///   - database: Where loads go; the stream goes there too, unless the settings have a URL for it.
    ///   - map: The groups, and what concerns them.
    ///   - loop: A loop that is no client's, which this starts and stops.
    public init(
        _ settings: InvalidationSettings, database: DatabaseSettings, map: InvalidationMap, loop: EventLoop,
        logger: Logger, seed: UInt64 = .random(in: .min ... .max)
    ) {
        self.loop = loop
        self.logger = logger
        self.settings = settings
        told = Groundwork.Mutex(map.groups.map(\.group))
        state = StreamState(heartbeat: settings.heartbeat, unproven: settings.source.unproven, seed: seed)
        applier = ChangeApplier(map, onLoss: settings.onStreamLoss)
        source = settings.makeSource(database, map, on: loop, owner: self, logger: logger)
    }

    // MARK: Any thread

    /// The groups whose changes it tells of.
    public var groups: [Group] { told.withLock { $0 } }

    /// Whether it was started.
    public var isStarted: Bool { hasStarted.load(ordering: .acquiring) }

    /// Begins to connect. Until the stream is there its groups are as after a loss. `onTrust` is told when it comes (true) and
    /// when it is lost, on the loop's thread. False when the system gives no thread; then nothing was begun. To be called once.
    public func start(onTrust: @escaping @Sendable (Bool) -> Void = { _ in }) -> Bool {
        guard loop.start() else { return false }
        applier.suspend()
        hasStarted.store(true, ordering: .releasing)
        loop.submit { [self] in
            self.onTrust = onTrust
            act(on: state.start())
        }
        return true
    }

    /// Tells of changes to other groups from now on. Those that were not there before have to store nothing; they begin when all
    /// that concerns them is told of. What the others hold stays, as long as the rules are known already, or the source is
    /// `notify`; with `logical` the stream begins anew for new rules. `database` is where loads go from now on. To be called
    /// before ``start(onTrust:)``, or after.
    public func adopt(_ map: InvalidationMap, database: DatabaseSettings) async {
        told.withLock { $0 = map.groups.map(\.group) }
        guard isStarted else { return adoptHere(map, database) }
        await withCheckedContinuation { continuation in
            loop.submit { [self] in
                adoptHere(map, database)
                continuation.resume()
            }
        }
    }

    private func adoptHere(_ map: InvalidationMap, _ database: DatabaseSettings) {
        let isKnown = map.groups.allSatisfy { applier.map.hasNamesake(of: $0) }
        applier.adopt(map)
        source?.adopt(map, isKnown: isKnown, stream: settings.streamDatabase(database), loads: database)
        if isKnown, state.isTrusted { applier.admit() }
        // An attempt that is under way looked at the old ones.
        if !isKnown, state.isBeginning { lost("the settings have other invalidate_on rules") }
    }

    /// Waits until the stream is there, or the first attempt failed or may take long.
    public func firstAttempt() async {
        guard isStarted else { return }
        await withCheckedContinuation { continuation in
            let hasEnded = first.withLock { waiting in
                waiting?.append(continuation)
                return waiting == nil
            }
            if hasEnded { continuation.resume() }
        }
    }

    /// Closes the connection and ends the loop's thread; the groups stay as they are.
    public func stop() async {
        guard isStarted else { return }
        await withCheckedContinuation { continuation in
            loop.submit { [self] in
                act(on: state.end())
                applied.store(0, ordering: .releasing)
                for waiter in catchUps.takeAll() { waiter(false) }
                firstAttemptEnded()
                continuation.resume()
            }
        }
        loop.stop()
        await withCheckedContinuation { continuation in
            let isStarted = startThread(stackBytes: 64 << 10) { [loop] in
                loop.join()
                continuation.resume()
            }
            if !isStarted { continuation.resume() }
        }
    }

    /// How the stream stands.
    public var status: StreamStatus { published.withLock { $0 } }

    /// Calls `done` once all that was committed up to `position` is applied, with true; with false when the stream is lost or
    /// does not get there by `deadline`. Any thread calls, and either the same or the stream's is called back on, at once
    /// when it is known at once.
    public func whenApplied(
        _ position: LogPosition, by deadline: Instant, _ done: @escaping @Sendable (Bool) -> Void
    ) {
        if hasApplied(position) { return done(true) }
        guard isStarted else { return done(false) }
        loop.submit { [self] in wait(for: position, by: deadline, done) }
    }

    /// Whether all that was committed up to `position` is applied. What was applied once stays so, though the stream be lost.
    public func hasApplied(_ position: LogPosition) -> Bool {
        let applied = applied.load(ordering: .acquiring)
        return applied > 0 && position.bytes <= applied
    }

    // MARK: Loop's thread

    private func wait(for position: LogPosition, by deadline: Instant, _ done: @escaping @Sendable (Bool) -> Void) {
        if hasApplied(position) { return done(true) }
        guard state.isTrusted, catchUps.add(position, by: deadline, done) else { return done(false) }
        beat()
        watchTime()
    }

    /// The pause between two looks at how far the stream is, while somebody waits for it.
    private static let catchUpPause = Duration.milliseconds(2)

    private func beat() {
        wantsBeat = beatSent != nil
        guard !wantsBeat else { return }
        beatSent = loop.now
        source?.beat()
    }

    private func act(on actions: [StreamState.Action]) {
        for action in actions {
            switch action {
            case .connect: connect()
            case .close:
                beatSent = nil
                wantsBeat = false
                source?.close()
            case .beat: beat()
            case .trust: trust()
            case .distrust(let reason): distrust(reason)
            }
        }
        watchTime()
    }

    private func connect() {
        if let source { return source.connect() }
        loop.enqueue { [self] in lost("invalidation.source: \(kind.rawValue) is not in this version") }
    }

    private func trust() {
        applier.resume()
        let (silence, isFirst) = published.withLock { status in
            defer {
                status.state = .live
                status.since = loop.now
            }
            return (loop.now - status.since, status.losses == 0)
        }
        logger.notice(
            isFirst ? "changes in the database are heard of" : "changes in the database are heard of again",
            metadata: ["source": "\(kind.rawValue)", "after": "\(silence)"])
        onTrust(true)
        firstAttemptEnded()
    }

    private func distrust(_ reason: String) {
        applied.store(0, ordering: .releasing)
        let before = published.withLock { status in
            defer {
                if status.state == .live || status.losses == 0 {
                    status.losses += 1
                    status.since = loop.now
                }
                status.state = .suspect
                status.lastLoss = reason
            }
            return status
        }
        if before.state == .live { applier.suspend() }
        for waiter in catchUps.takeAll() { waiter(false) }
        let metadata: Logger.Metadata = ["source": "\(kind.rawValue)", "reason": "\(reason)"]
        if before.state == .live || before.losses == 0 {
            logger.warning("nobody tells of changes in the database: \(applier.consequence)", metadata: metadata)
        } else if before.lastLoss != reason {
            // What keeps it from coming back is often not what it was lost by.
            logger.warning("changes in the database still can't be heard of", metadata: metadata)
        } else {
            logger.debug("the stream of changes can't be had", metadata: metadata)
        }
        if before.state == .live { onTrust(false) }
        firstAttemptEnded()
    }

    private func firstAttemptEnded() {
        let waiting = first.withLock { $0.take() }
        for continuation in waiting ?? [] { continuation.resume() }
    }

    // MARK: Time

    /// Sets the one timer to what is due first. One that comes too early costs a look.
    private func watchTime() {
        let dues = [state.nextLook, catchUps.firstDeadline].compactMap { $0 }
        guard let due = dues.min() else { return }
        if let timer {
            if timer.due <= due { return }
            loop.cancel(timer.timer)
        }
        timer = (loop.schedule(at: due) { [weak self] in self?.timeCame() }, due)
    }

    private func timeCame() {
        timer = nil
        let now = loop.now
        for waiter in catchUps.takeOverdue(at: now) { waiter(false) }
        act(on: state.timeCame(at: now))
    }
}

extension ChangeStream: ChangeSourceOwner {
    func opened() { act(on: state.opened(at: loop.now)) }

    /// Nobody is kept from being served by what may take long.
    func waits(_ reason: String) {
        published.withLock { $0.lastLoss = reason }
        logger.warning("changes in the database can't be heard of yet", metadata: ["reason": "\(reason)"])
        firstAttemptEnded()
    }

    func proven() { act(on: state.proven(at: loop.now)) }

    func heard() { state.heard(at: loop.now) }

    /// Also before the stream is trusted: it does no harm.
    func changed(_ change: TableChange) {
        applier.apply(change)
        publishCounters()
    }

    func misread() {
        applier.applyAll()
        publishCounters()
        let isFirst = published.withLock { status in
            status.misread += 1
            return status.misread == 1
        }
        if isFirst {
            logger.warning(
                """
                a change in the database can't be read, so all groups with invalidate_on were flushed; do its triggers have \
                another version? `pgsidecar sql install` mends that
                """,
                metadata: ["source": "\(kind.rawValue)"])
        }
    }

    func misheard() {
        published.withLock { $0.misheard += 1 }
    }

    func told(upTo position: LogPosition) {
        guard state.isTrusted else { return }
        applied.store(position.bytes, ordering: .releasing)
        published.withLock { $0.applied = position }
        for waiter in catchUps.takeReached(position) { waiter(true) }
    }

    func lags(by bytes: UInt64, holding transactions: Int) {
        published.withLock { status in
            status.lag = bytes
            status.held = transactions
        }
    }

    func beatAnswered() {
        if let beatSent { published.withLock { $0.delay = Instant.now() - beatSent } }
        beatSent = nil
        state.beatAnswered(at: loop.now)
        if wantsBeat {
            beat()
        } else if catchUps.count > 0 {
            // The log is written a little later than it is asked about, and then nothing may come by itself.
            loop.schedule(at: loop.now + Self.catchUpPause) { [weak self] in
                if let self, catchUps.count > 0 { beat() }
            }
        }
        watchTime()
    }

    func refused(_ groups: [String: String]) {
        let before = published.withLock { status in
            defer { status.refusedGroups = groups.keys.sorted() }
            return status.refusedGroups
        }
        applier.refuse(Set(groups.keys))
        for (group, why) in groups.sorted(by: { $0.key < $1.key }) where !before.contains(group) {
            logger.error(
                "a group's tables can't be followed; it stores nothing, the others serve",
                metadata: ["group": "\(group)", "mistake": "\(why)"])
        }
        for group in before where groups[group] == nil {
            logger.notice("a group's tables can be followed again", metadata: ["group": "\(group)"])
        }
    }

    func adopted() {
        if state.isTrusted { applier.admit() }
    }

    func lost(_ reason: String) { act(on: state.lost(reason, at: loop.now)) }

    private func publishCounters() {
        let counters = applier.counters
        published.withLock { $0.counters = counters }
    }
}
