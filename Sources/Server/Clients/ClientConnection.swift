import EventLoop
import Glibc
import Groundwork
import RESP

/// One client's connection: bytes to requests, and replies to bytes, in order. Confined to its loop.
///
/// The way of a request: ``ready(_:)`` receives, `+Input` parses, `+Execution` hands it to its command, `+Lookup` asks the
/// group, `+Output` sends at once. What can't be sent or has to wait for a load is in ``replies``; whatever changes that gives
/// the client a turn, ``proceed()``, in the same round.
///
/// At a bound the client's requests are not executed, but still read, up to a bound of their own: clients that write all
/// their requests before they read a reply are served. Executing goes on when replies left or loads ended.
final class ClientConnection: EventSource {
    /// How far the connection's life has come.
    enum Phase {
        /// Requests are read and executed. Becomes any other.
        case open
        /// No more comes, but what came is executed and answered. Becomes finishing, broken or closed.
        case ending
        /// Nothing more is executed; it closes when the client got its replies. Becomes broken or closed.
        case finishing
        /// The same, but what the client still sends is thrown away meanwhile: a client that is writing a request which was
        /// refused has to finish before it reads why. Becomes lingering, broken or closed.
        case refusing
        /// The client got everything and was told that nothing more comes; its bytes are thrown away. Becomes closed.
        case lingering
        /// Nothing can be sent any more. Becomes closed.
        case broken
        case closed
    }

    let id: Int
    let loop: EventLoop
    let server: ServerContext
    /// Its loop's, at hand for every request.
    let keyspace: Keyspace
    let counters: LoopCounters
    let round: Round
    let waits: Waits
    let buffers: SharedBuffers
    /// The buffers', at hand: what is reached by another object has its references counted.
    let rewritten: RewrittenKeys
    let held: HeldBytes
    let subscribers: Subscribers
    let watchers: Watchers
    let trackers: Trackers
    let activity: ClientActivity
    private unowned let clients: Clients
    /// Where it stands among the loop's connections; theirs to change.
    var position: Int
    /// Whether it has a turn at the end of the round; the round's to change.
    var isDue = false

    /// The protocol's version that the client chose.
    var version = ProtocolVersion.resp2 { didSet { updatePermission() } }
    /// Whether the client gave the password, or none is asked for.
    var isAuthenticated: Bool { didSet { updatePermission() } }
    /// What the client subscribed to.
    var subscriptions = Subscriptions() { didSet { updatePermission() } }
    /// How the client is told of changes of what it reads; nil: it is not.
    var tracking: Tracking? { didSet { updatePermission() } }
    /// Whether what the request that is executed reads is noted for that.
    var notesReading = false
    /// Whether the requests of a transaction are being executed.
    var executesTransaction = false
    /// The requests that are held back since `MULTI`; nil: none are.
    var transaction: Transaction? {
        didSet {
            updatePermission()
            activity.holdsBack(transaction)
        }
    }
    /// Whether the connection's state has no command refused, held back or noted. One field, since each request looks at
    /// it.
    private(set) var mayAskAnything: Bool

    var phase = Phase.open
    var socket: ClientSocket
    /// A bound is reached: no request is executed until something that waits has left.
    var isStalled = false
    /// The kernel takes no more: wait until it says so.
    var isBlocked = false
    /// The bounds of which it is to be told when there is room: for a deferred reply, or for more input.
    var awaitedRoom: Swift.Set<ObjectIdentifier> = []
    /// When the client last took something, or began to take nothing. Means something while `isBlocked` or lingering.
    var lastProgress: Instant
    /// How much it takes of late; means something while `isBlocked`.
    var pace: TransferPace
    /// What came and was not executed.
    var stored: StoredInput?
    /// What of that is held against all clients' input.
    var chargedInput = 0
    /// How much it sends of late; means something while it holds part of a request.
    var inputPace: TransferPace
    /// What it keeps here between its requests, in bytes, and what of that is held against all clients' input.
    var keptBytes = 0
    var chargedKept = 0
    var replies: ReplyQueue
    /// The one timer, for whatever is due first.
    var alarm: (timer: Timer, deadline: Instant)?

    private var registration: Registration?
    private var interest: Readiness
    /// Whether the kernel has nothing more of the client's than it will tell of: no bytes, and not its end.
    var isDrained = true

    /// What is waited for when all that came was read: to be told once is enough where that can be known.
    private let atRest: Readiness

    init(_ descriptor: Int32, id: Int, of clients: Clients, position: Int) {
        socket = ClientSocket(descriptor)
        atRest = socket.takesBytesAlone ? [.readable, .ended, .urgent, .once] : .readable
        interest = atRest
        self.id = id
        self.clients = clients
        self.position = position
        loop = clients.loop
        server = clients.server
        keyspace = clients.keyspace
        counters = clients.counters
        round = clients.round
        waits = clients.waits
        buffers = clients.buffers
        rewritten = clients.buffers.rewritten
        held = clients.held
        subscribers = clients.subscribers
        watchers = clients.watchers
        trackers = clients.trackers
        activity = ClientActivity(at: clients.loop.now)
        replies = ReplyQueue(clients.held)
        isAuthenticated = server.settings.password == nil
        mayAskAnything = isAuthenticated
        lastProgress = loop.now
        pace = TransferPace(at: loop.now)
        inputPace = pace
    }

    private func updatePermission() {
        mayAskAnything = isAuthenticated && !isInSubscribedMode && transaction == nil && tracking == nil
    }

    func start() throws(SystemError) {
        registration = try loop.register(socket.descriptor, for: interest, source: self)
    }

    /// The kernel has something for the client, or from it.
    func ready(_ readiness: Readiness) {
        if isBlocked, readiness.contains(.writable) {
            isBlocked = false
            lastProgress = loop.now
        }
        activity.asked(at: loop.now)
        let isReading = isReading
        isDrained = isReading && readiness.isDisjoint(with: [.ended, .urgent, .broken])
        if isReading {
            if tracking == nil { receive(&buffers.reply) } else { receiveAfterNotices() }
        }
        // Both directions are shut: nobody is there to read what is still to come. Either of the two bits it stands for.
        if !readiness.isDisjoint(with: .broken), !self.isReading { return close() }
        // Mostly everything is answered and sent by now.
        if phase == .open, isDrained, interest == atRest, replies.isEmpty, stored == nil { return }
        proceed()
    }

    /// Its turn: sends what can be sent, executes what that made room for, and draws the consequences.
    func proceed() {
        guard phase != .closed else { return }
        sendQueue(&buffers.reply)
        if isExecuting, stored?.isIncomplete == false {
            executeStored(&buffers.reply)
            // The rest has its turn after others had theirs.
            if isExecuting, stored?.isIncomplete == false { round.add(self) }
        }
        settle()
    }

    /// Takes no more requests; closes when those that the client could send are answered.
    func finish() {
        // From here on the socket can be read until its end is met.
        if phase == .open { return socket.endReceiving() }
        proceed()
    }

    /// Whether requests are executed.
    var isExecuting: Bool { !isStalled && (phase == .open || phase == .ending) }

    /// Whether what the client sends is wanted.
    var isReading: Bool {
        switch phase {
        case .open: stored == nil || hasRoomForInput
        case .refusing, .lingering: true
        case .ending, .finishing, .broken, .closed: false
        }
    }

    /// Draws the consequences of what an event changed.
    private func settle() {
        // What is left when all was executed is no whole request.
        if phase == .ending, isExecuting, stored == nil || stored?.isIncomplete == true { phase = .finishing }
        switch phase {
        case .open, .ending: break
        case .finishing: if replies.isEmpty { return close() }
        case .refusing: if replies.isEmpty { linger() }
        case .lingering: break
        case .broken: return close()
        case .closed: return
        }
        if phase != .open, phase != .ending { stored = nil }
        chargeInput()
        activity.holds(input: stored?.bytes.byteCount ?? 0, output: replies.byteCount)
        var wanted: Readiness = []
        if isReading { wanted.insert(.readable) }
        if isBlocked { wanted.insert(.writable) }
        if isDrained, wanted == .readable { wanted = atRest }
        if wanted != interest, let registration {
            interest = wanted
            loop.update(registration, for: wanted)
        }
        if isBlocked || phase == .lingering { expectAlarm(by: lastProgress + server.settings.writeTimeout) }
        if isBlocked { expectAlarm(by: pace.nextLook) }
        if holdsPartOfRequest { expectAlarm(by: inputPace.nextLook) }
        if phase == .open, !isReading, waitsForInput { round.add(self, whenRoomFor: 1, in: server.input) }
    }

    private func linger() {
        phase = .lingering
        lastProgress = loop.now
        socket.endSending()
    }

    /// Closes at once; those loads that only this client waited for go on without it.
    func close() {
        guard phase != .closed else { return }
        phase = .closed
        if let registration { loop.deregister(registration) }
        registration = nil
        if let alarm { loop.cancel(alarm.timer) }
        alarm = nil
        replies.removeAll()
        stored = nil
        chargeInput()
        keeps(-keptBytes)
        clients.remove(self)
        // Last: who sees the end of the connection finds nothing of it any more.
        socket.close()
    }
}
