import EventLoop
import Glibc
import Groundwork
import Logging

/// Lets clients in: who is allowed, and how many, and to which loop they go.
final class Doorman: @unchecked Sendable {
    // Unchecked: but for `open`, which hops there, everything happens on the loop's thread.

    /// Where clients knock.
    enum Entrance: Sendable {
        /// A path of our own.
        case bound(SocketPath)
        /// A descriptor that systemd keeps the path of.
        case inherited(Int32)

        var descriptor: Int32 {
            switch self {
            case .bound(let path): path.descriptor
            case .inherited(let descriptor): descriptor
            }
        }
    }

    private let loop: EventLoop
    private let clients: [Clients]
    private let context: ServerContext

    private var entrance: Entrance?
    private var listener: UnixListener?
    private var turn = 0
    private var look: Timer?
    /// Whether it was said that the path is gone and can't be had again; and what stands there instead, which is asked once:
    /// to ask is to connect, which a program that accepts nobody would notice.
    private var isLost = false
    private var stranger: FileIdentity?

    /// How often it is checked that the socket's path is there.
    private static let interval: Duration = .seconds(2)

    init(on loop: EventLoop, clients: [Clients], context: ServerContext) {
        self.loop = loop
        self.clients = clients
        self.context = context
    }

    /// Accepts clients from now on. Any thread.
    func open(_ entrance: Entrance) {
        loop.submit { [self] in
            listen(at: entrance)
            lookLater()
        }
    }

    private func listen(at entrance: Entrance) {
        self.entrance = entrance
        let listener = UnixListener(entrance.descriptor, on: loop, logger: context.logger) {
            [unowned self] client in
            admit(client)
        }
        do throws(SystemError) {
            try listener.start()
            self.listener = listener
        } catch {
            context.logger.critical("not accepting clients: \(error)")
        }
    }

    /// A path of our own may be removed, by a cleaner of temporary files, say: then nobody can connect any more.
    private func lookLater() {
        guard case .bound? = entrance else { return }
        look = loop.schedule(at: loop.now + Self.interval) { [self] in
            guard case .bound(let path)? = entrance else { return }
            let found = FileIdentity(at: context.settings.socket)
            if !path.isInPlace, found == nil || found != stranger { renew(path) }
            lookLater()
        }
    }

    private func renew(_ path: SocketPath) {
        do throws(ServerError) {
            let new = try path.renewed(context.settings)
            listener?.stop()
            path.close()
            listen(at: .bound(new))
            (isLost, stranger) = (false, nil)
            context.logger.warning(
                "the socket's path was removed: made again", metadata: ["socket": "\(context.settings.socket)"])
        } catch {
            if !isLost { context.logger.error("the socket's path was removed, and can't be made again: \(error)") }
            (isLost, stranger) = (true, FileIdentity(at: context.settings.socket))
        }
    }

    /// Accepts no more clients, and removes the path that was bound. Whoever connected to that before is let in: its request is on
    /// its way, most likely. Those who wait at systemd's socket are for the successor.
    func close() {
        listener?.stop()
        if case .bound(let path)? = entrance {
            path.remove()
            listener?.acceptWaiting()
        }
        listener = nil
        if let look { loop.cancel(look) }
        look = nil
        switch entrance {
        case nil: break
        case .bound(let path)?: path.close()
        case .inherited(let descriptor)?: _ = Glibc.close(descriptor)
        }
        entrance = nil
    }

    private func admit(_ descriptor: Int32) {
        let credentials = PeerCredentials(of: descriptor)
        let admission = context.admission
        if let allowed = admission.allowedUsers {
            guard let user = credentials?.user, allowed.contains(user) else {
                let who = credentials.map { "user \($0.user)" } ?? "an unknown user"
                context.logger.warning("client refused: not an allowed user", metadata: ["client": "\(who)"])
                return refuse(descriptor, "-NOPERM \(who) is not allowed to connect\r\n")
            }
        }
        guard let id = context.admitClient() else {
            context.logger.warning(
                "client refused: there are max_clients", metadata: ["max_clients": "\(admission.maxClients)"])
            return refuse(descriptor, "-ERR max number of clients reached\r\n")
        }
        let clients = clients[turn % clients.count]
        turn &+= 1
        if clients.loop === loop {
            clients.adopt(descriptor, id: id, credentials: credentials)
        } else {
            clients.loop.submit { clients.adopt(descriptor, id: id, credentials: credentials) }
        }
    }

    private func refuse(_ descriptor: Int32, _ text: String) {
        context.clientRejected()
        let bytes = Array(text.utf8)
        // What does not fit into a new socket's buffer would be lost; it always fits.
        _ = send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
        _ = Glibc.close(descriptor)
    }
}
