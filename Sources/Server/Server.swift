public import CacheCore
public import EventLoop
import Glibc
import Groundwork
public import Logging
import Synchronization

/// Serves a ``Keyspace`` to Redis clients at a Unix socket.
///
/// Its clients live on the loops it is given, spread over them in turn. ``start()`` and ``stop(deadline:)`` may be called
/// from any thread that is not a loop's.
public final class Server: Sendable {
    let context: ServerContext
    private let loops: [EventLoop]
    private let clients: [Clients]
    private let doorman: Doorman
    /// The right to the socket's path, between ``claimSocket()`` and ``start()``.
    private let claim = Groundwork.Mutex<SocketLock?>(nil)
    private let listens = Atomic<Bool>(false)

    /// A server on loops that run, or are about to.
    /// - Throws: ``ServerError`` when there is no loop to serve on.
    public init(
        settings: ServerSettings, loops: [EventLoop], keyspace: Keyspace, information: ServerInformation,
        changes: AppliedChanges = .none, operations: Operations = Operations(), logger: Logger
    ) throws(ServerError) {
        guard let first = loops.first else { throw ServerError(.system, "a server needs a loop") }
        let context = ServerContext(
            settings: settings, keyspace: keyspace, information: information, changes: changes, operations: operations,
            logger: logger, loopCount: loops.count)
        self.context = context
        self.loops = loops
        clients = loops.enumerated().map {
            Clients(of: $1, index: $0, server: context, keyspace: Keyspace(like: keyspace))
        }
        doorman = Doorman(on: first, clients: clients, context: context)
    }

    /// Whether it listens, and does not drain.
    public var isServing: Bool { listens.load(ordering: .relaxed) }

    /// What happened so far.
    public var statistics: ServerStatistics { context.statistics }

    /// Makes sure of the socket's path, before anything else is begun for the one who would be turned away at ``start()``.
    /// It is given back with this object. Nothing is to be done where systemd hands over a socket.
    /// - Throws: ``ServerError`` when another process has the path, or it can't be had.
    public func claimSocket() throws(ServerError) {
        guard !InheritedSocket.isOffered() else { return }
        let lock = try SocketPath.lock(context.settings)
        claim.withLock { $0 = lock }
    }

    /// What to say when the folder of a socket's path is missing; nil when it is there.
    public static func missingFolder(of socket: String) -> String? {
        SocketPath.missingFolder(of: socket)
    }

    /// Listens, at the socket that systemd handed over if there is one, else at the path of the settings. When it returns,
    /// clients can connect.
    public func start() throws(ServerError) {
        if let inherited = try InheritedSocket.take() {
            doorman.open(.inherited(inherited))
        } else {
            if let lock = claim.withLock({ $0.take() }) {
                doorman.open(.bound(try SocketPath(context.settings, lock)))
            } else {
                doorman.open(.bound(try SocketPath(context.settings)))
            }
        }
        listens.store(true, ordering: .relaxed)
    }

    /// Tells those who subscribed to keyspace events that changes of groups are heard of again, or no longer. Any thread.
    public func tell(_ groups: [Group], hearOfChanges: Bool) {
        for clients in clients { clients.subscribers.tell(groups, hearOfChanges: hearOfChanges) }
    }

    /// Serves other groups in place of those before; their names differ. When it returns, each request that begins meets the new
    /// ones. What was asked of others is answered by them: they are to ``CacheCore/Group/retire()`` after this.
    public func serve(_ groups: [ServedGroup]) async {
        context.groups = groups
        for clients in clients {
            await withCheckedContinuation { continuation in
                clients.loop.submit {
                    clients.serve(groups)
                    continuation.resume()
                }
            }
        }
    }

    /// Lets others in from now on: `allowedUsers`, `adminUsers` and `maxClients` of the settings, the rest of which stays as it is.
    /// Whoever is in stays.
    public func admit(by settings: ServerSettings) {
        context.admission = Admission(settings)
    }

    /// Accepts no more clients and reads no more requests, waits until those that were asked are answered, at most for
    /// `deadline`, and closes everything. The socket's path is removed at once, so that a successor can take it.
    public func stop(deadline: Duration) async {
        listens.store(false, ordering: .relaxed)
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let drain = Drain(of: clients, on: loops[0]) { continuation.resume() }
            loops[0].submit { [doorman] in
                doorman.close()
                drain.start(deadline: deadline)
            }
        }
    }
}
