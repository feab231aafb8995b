import EventLoop
import Groundwork
import Logging
import Postgres

/// What triggers notify, over a listening connection.
final class NotifySource: ChangeSource, ListeningConnectionOwner, @unchecked Sendable {
    // Unchecked: it is touched on the stream's loop only; what makes a connection on another thread hands it back there.
    private var settings: DatabaseSettings
    private var loads: DatabaseSettings
    private let channel: String
    private var map: InvalidationMap
    private let loop: EventLoop
    private weak let owner: (any ChangeSourceOwner)?
    private let logger: Logger
    private var connection: ListeningConnection?
    /// Counts connections, to tell one that was let go while it was being made.
    private var attempt = 0
    /// How the triggers stood when they were last looked at, and when that was.
    private var check: (found: TriggerCheck, at: Instant)?
    private var isChecking = false

    /// The pause between two looks at the triggers: a migration may make a table anew, or somebody may disable them.
    private let checkPause: Duration

    /// - Parameters:
    ///   - settings: The way to the server that is listened to.
    ///   - loads: Where loads go.
    init(
        _ settings: DatabaseSettings, loads: DatabaseSettings, channel: String, _ map: InvalidationMap,
        on loop: EventLoop, owner: any ChangeSourceOwner, logger: Logger, checkPause: Duration = .seconds(30)
    ) {
        self.settings = settings
        self.loads = loads
        self.channel = channel
        self.map = map
        self.loop = loop
        self.owner = owner
        self.logger = logger
        self.checkPause = checkPause
    }

    /// First the triggers are looked at: what they don't tell is not kept, whatever the connection hears.
    func connect() {
        attempt += 1
        isChecking = false
        look { [self] found in
            note(found)
            owner?.refused(found.refused)
            listen()
        }
    }

    private func listen() {
        let attempt = attempt
        let isStarted = ListeningConnection.connect(settings, loads: loads, channel: channel, on: loop, owner: self) {
            [self] result in
            switch result {
            case .success(let connection) where attempt == self.attempt:
                self.connection = connection
                owner?.opened()
            case .success(let connection): connection.close()
            case .failure(let error): if attempt == self.attempt { owner?.lost("\(error)") }
            }
        }
        if !isStarted { loop.enqueue { [self] in owner?.lost("no thread to connect on") } }
    }

    func adopt(_ map: InvalidationMap, isKnown: Bool, stream: DatabaseSettings, loads: DatabaseSettings) {
        self.map = map
        settings = stream
        self.loads = loads
        guard !isKnown, connection != nil else { return }
        // What is being looked at was asked for the old ones.
        attempt += 1
        isChecking = false
        look { [self] found in
            note(found)
            owner?.refused(found.refused)
            owner?.adopted()
        }
    }

    func beat() {
        connection?.sendEcho()
        guard let check, loop.now - check.at > checkPause else { return }
        look { [self] found in
            note(found)
            // Groups whose tables are told of in full again are flushed first, as whenever a stream begins.
            guard found.refused == check.found.refused else {
                owner?.lost("the tables' triggers were changed")
                return
            }
            for table in found.changed(since: check.found) {
                owner?.changed(TableChange(table: table, what: .all))
                guard connection != nil else { return }
            }
        }
    }

    // MARK: The triggers

    /// Looks at the triggers on a thread of its own, and hands on what it found unless the source was closed meanwhile.
    private func look(_ whenFound: @escaping @Sendable (TriggerCheck) -> Void) {
        guard !isChecking else { return }
        isChecking = true
        let attempt = attempt
        let isStarted = loop.offload { [map, channel, settings] in
            try TriggerCheck(of: map.groups, channel: channel, in: SQLSession(settings))
        } completion: { [self] result in
            guard attempt == self.attempt else { return }
            isChecking = false
            switch result {
            case .success(let found): whenFound(found)
            case .failure(let error): owner?.lost("\(error)")
            }
        }
        guard !isStarted else { return }
        isChecking = false
        loop.enqueue { [self] in owner?.lost("no thread to look at the triggers on") }
    }

    private func note(_ found: TriggerCheck) {
        for table in found.unheard where check?.found.unheard.contains(table) != true {
            logger.warning(
                """
                what is written to a table below one of invalidate_on by its own name is not heard of; \
                pgsidecar sql install --apply mends that
                """,
                metadata: ["table": "\(table)"])
        }
        check = (found, loop.now)
    }

    func close() {
        attempt += 1
        connection?.close()
        connection = nil
    }

    // MARK: What the connection tells

    func connectionIsProven() { owner?.proven() }

    func connectionIsAlive() { owner?.heard() }

    func connectionHeard(_ payload: RawSpan) {
        switch NotifyPayload(payload.withUnsafeBytes { Array($0) }) {
        case .change(let change): owner?.changed(change)
        case .unreadable: owner?.misread()
        case .foreign: owner?.misheard()
        }
    }

    func connectionEchoed(_ position: LogPosition) {
        owner?.told(upTo: position)
        owner?.beatAnswered()
    }

    func connectionLost(_ reason: String) { owner?.lost(reason) }
}
