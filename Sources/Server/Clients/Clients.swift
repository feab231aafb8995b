import EventLoop
import Glibc
import Groundwork
import Logging
import RESP

/// The client connections of one loop: who is there, from coming to going. Confined to its loop.
final class Clients: @unchecked Sendable {
    // Unchecked: it is handed to the loop, and used there alone.

    let loop: EventLoop
    let server: ServerContext
    /// The groups that they can ask for.
    let keyspace: Keyspace
    let counters: LoopCounters
    /// Whose turn it is at the end of the round.
    let round: Round
    /// Who waits for a load.
    let waits: Waits
    /// What they use in turn.
    let buffers: SharedBuffers
    /// What their replies hold.
    let held: HeldBytes
    /// Those who are told of events.
    let subscribers: Subscribers
    /// Those who watch keys.
    let watchers: Watchers
    /// Those who are told of changes.
    private(set) lazy var trackers = Trackers(of: self, server.tracking[index])

    /// How soon after it connected a client asks.
    private static let firstRequestTime: Duration = .milliseconds(200)

    private let index: Int
    private var connections: ContiguousArray<ClientConnection> = []
    private var whenEmpty: (@Sendable () -> Void)?

    /// The clients of `loop`, which is the server's loop number `index`.
    init(of loop: EventLoop, index: Int, server: ServerContext, keyspace: Keyspace) {
        self.loop = loop
        self.index = index
        self.server = server
        counters = server.counters[index]
        round = Round(of: loop)
        waits = Waits(of: loop, counters: counters)
        buffers = SharedBuffers(limits: RequestLimits(requestBytes: server.settings.maxRequest))
        held = HeldBytes(server.output)
        subscribers = Subscribers(on: loop, server: server)
        self.keyspace = keyspace
        watchers = Watchers(keyspace)
        // Kept by the loop until that ends. (A weak reference would make every retain of this object take the slow path.)
        loop.submit { [self] in
            loop.atRoundEnd { self.endRound() }
        }
        server.tracking[index].mailbox.onMail { [self] in
            loop.submit { [self] in trackers.deliver() }
        }
    }

    /// Outcomes that came in the round go to their holes, then every client for which something changed has its turn. Returns whether
    /// those turns brought more.
    private func endRound() -> Bool {
        waits.fillArrived()
        round.end()
        return round.isDue || waits.hasArrivals
    }

    /// Takes over a connected socket. Loop's thread only.
    func adopt(_ descriptor: Int32, id: Int, credentials: PeerCredentials?) {
        let connection = ClientConnection(descriptor, id: id, of: self, position: connections.count)
        do throws(SystemError) {
            try connection.start()
        } catch {
            server.logger.warning("dropping a client: \(error)")
            server.clientLeft()
            return
        }
        connections.append(connection)
        server.directory.add(
            ClientRecord(
                id: id, loop: index, descriptor: descriptor, credentials: credentials, connected: loop.now,
                activity: connection.activity
            ) { [self] in
                loop.submit { [self] in client(numbered: id)?.close() }
            })
        // The server is going: what this client came to ask is answered, no more.
        if whenEmpty != nil { finish(connection) }
    }

    /// Serves other groups from now on.
    func serve(_ groups: [ServedGroup]) {
        keyspace.serve(groups)
        subscribers.followGroups()
        watchers.followGroups()
        trackers.followGroups()
    }

    /// The connection of a number; nil when it is not here. O(connections).
    func client(numbered id: Int) -> ClientConnection? {
        connections.first { $0.id == id }
    }

    /// Forgets a connection that closed itself.
    func remove(_ connection: ClientConnection) {
        let position = connection.position
        guard position < connections.count, connections[position] === connection else { return }
        let last = connections.removeLast()
        if last !== connection {
            connections[position] = last
            last.position = position
        }
        subscribers.remove(connection)
        watchers.forget(connection.id)
        trackers.remove(connection)
        server.directory.remove(connection.id)
        server.clientLeft()
        if connections.isEmpty { whenEmpty?() }
    }

    /// Takes no more requests, and closes each connection when it got its replies; then calls `done`, perhaps several times.
    func drain(_ done: @escaping @Sendable () -> Void) {
        whenEmpty = done
        if connections.isEmpty { done() }
        for connection in connections { finish(connection) }
    }

    /// Whoever has just come and asked nothing has a request on its way, most likely, and gets a moment for it.
    private func finish(_ connection: ClientConnection) {
        let left = Self.firstRequestTime - connection.activity.idle(at: loop.now)
        if connection.activity.hasAsked || left <= .zero { return connection.finish() }
        loop.schedule(at: loop.now + left) { connection.finish() }
    }

    /// Closes what is left.
    func closeAll() {
        for connection in connections { connection.close() }
    }
}
