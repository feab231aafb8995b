import EventLoop
import Glibc
import Groundwork
import RESP

/// One client's connection: bytes to requests, and replies to bytes, in order. Confined to its loop.
///
/// What happens to a request: ``ready(_:)`` receives, `+Input` parses and hands it to its command, `+Lookup` asks the
/// group, `+Output` sends.
final class ClientConnection: EventSource {
    /// How far the connection's life has come.
    enum Phase {
        /// Requests are read. Becomes any other.
        case open
        /// No more requests are read; it closes when the client got its replies. Becomes broken or closed.
        case finishing
        /// Nothing can be sent any more. Becomes closed.
        case broken
        case closed
    }

    let id: Int
    let descriptor: Int32
    let clients: Clients
    /// The server's, at hand for every request.
    let keyspace: Keyspace
    /// Where it stands among the loop's connections; theirs to change.
    var place: Int
    /// Whether it is to be flushed at the end of the round; the loop's clients' to change.
    var isTouched = false

    /// Whether replies wait for the end of the round; the loop's clients' to change.
    var hasPosted = false

    /// The protocol's version that the client chose.
    var version = ProtocolVersion.resp2 { didSet { updatePermission() } }
    /// Whether the client gave the password, or none is asked for.
    var isAuthenticated: Bool { didSet { updatePermission() } }
    /// What the client subscribed to.
    var subscriptions = Subscriptions() { didSet { updatePermission() } }
    /// Whether no command is refused for what the connection is like; else ``refusal(of:)`` tells which. One field, as it
    /// is looked at for each request.
    private(set) var mayAskAnything: Bool

    var phase = Phase.open
    /// A bound is reached: no request is read until the client took half of what waits for it.
    var isPaused = false
    /// The kernel takes no more: wait until it says so.
    var isBlocked = false
    /// When the client last took something, or began to take nothing. Means something while `isBlocked`.
    var lastProgress: Instant
    /// The beginning of a request whose end has not arrived, or, when paused, requests that were not looked at.
    var partial: PartialRequest?
    var replies = ReplyQueue()
    /// The one timer, for whatever is due first.
    var alarm: (timer: Timer, deadline: Instant)?

    private var registration: Registration?
    private var interest = Readiness.readable

    init(_ descriptor: Int32, id: Int, clients: Clients, place: Int) {
        self.descriptor = descriptor
        self.id = id
        self.clients = clients
        keyspace = clients.context.keyspace
        self.place = place
        isAuthenticated = clients.context.settings.password == nil
        mayAskAnything = isAuthenticated
        lastProgress = clients.loop.now
    }

    private func updatePermission() {
        mayAskAnything = isAuthenticated && !isInSubscribedMode
    }

    func start() throws(SystemError) {
        registration = try clients.loop.register(descriptor, for: interest, source: self)
    }

    func ready(_ readiness: Readiness) {
        if isBlocked, readiness.contains(.writable) {
            isBlocked = false
            lastProgress = clients.loop.now
            flush()
        }
        // Either of the two bits that it stands for.
        let isGone = !readiness.isDisjoint(with: .broken)
        if isReading {
            receive()
            // Both directions are shut: nobody is there to read what is still to come.
            if isGone, phase != .open { close() }
        } else if isGone {
            close()
        }
        if phase == .open, interest == .readable, replies.isEmpty { return }
        settle()
    }

    var isReading: Bool { phase == .open && !isPaused }

    /// Sends what can be sent, reads on when that made room, and closes when nothing is left to do.
    func flush() {
        guard phase == .open || phase == .finishing else { return }
        if !isBlocked { sendQueue(&clients.reply) }
        resumeIfRoom()
        settle()
    }

    /// Reads no more requests after those that have arrived; closes when they are answered.
    func finish() {
        if isReading { receive() }
        // What was read is answered before the end is looked for.
        clients.endReceiving()
        if phase == .open { phase = .finishing }
        settle()
    }

    /// Draws the consequences of what an event changed.
    func settle() {
        switch phase {
        case .open: break
        case .finishing: if replies.isEmpty { return close() }
        case .broken: return close()
        case .closed: return
        }
        var wanted: Readiness = []
        if isReading { wanted.insert(.readable) }
        if isBlocked { wanted.insert(.writable) }
        if wanted != interest, let registration {
            interest = wanted
            clients.loop.update(registration, for: wanted)
        }
        if isBlocked { expectAlarm(by: lastProgress + clients.context.settings.writeTimeout) }
    }

    /// Closes at once; those loads that only this client waited for go on without it.
    func close() {
        guard phase != .closed else { return }
        phase = .closed
        if let registration { clients.loop.deregister(registration) }
        registration = nil
        _ = Glibc.close(descriptor)
        if let alarm { clients.loop.cancel(alarm.timer) }
        alarm = nil
        for reply in replies.pendingReplies {
            reply.forEachOpenHole { hole in
                clients.abandon(hole)
                hole.reply = nil
            }
        }
        replies = ReplyQueue()
        partial = nil
        clients.remove(self)
    }
}
