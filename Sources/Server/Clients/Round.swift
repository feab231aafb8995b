import DequeModule
import EventLoop

/// The clients of one loop for whom there is something to do before the loop waits: an outcome arrived, there is room again,
/// requests are left from their last turn.
///
/// Whoever changes what a client can be sent, outside the client's own turn, adds it here. So there is one place that sees to
/// it that nothing which could be sent waits for an unrelated event.
final class Round: @unchecked Sendable {
    // Unchecked: it is handed through `Bound` back to its loop, and used there alone.

    private let loop: EventLoop
    private var due: ContiguousArray<ClientConnection> = []
    /// Those who wait for room within a bound, in the order of their arrival.
    private var waiting: [ObjectIdentifier: Deque<ClientConnection>] = [:]
    /// Where those who are due were told of room, which they may leave to the next: they are gone, say.
    private var offered: [Bound] = []

    init(of loop: EventLoop) {
        self.loop = loop
    }

    /// Whether the loop must not wait.
    var isDue: Bool { !due.isEmpty }

    /// Gives `client` its turn at the end of this round, or, when that is being ended, of the next, which does not wait.
    func add(_ client: ClientConnection) {
        guard !client.isDue else { return }
        client.isDue = true
        due.append(client)
        loop.gathers()
    }

    /// Gives `client` its turn when there seems to be room for `need` within `bound`.
    func add(_ client: ClientConnection, whenRoomFor need: Int, in bound: Bound) {
        guard client.awaitedRoom.insert(ObjectIdentifier(bound)).inserted else { return }
        waiting[ObjectIdentifier(bound), default: []].append(client)
        bound.whenRoom(for: need) { [self] in loop.submit { [self] in addFirstWaiting(of: bound) } }
    }

    /// Whom the bound tells first came first here, too.
    private func addFirstWaiting(of bound: Bound) {
        guard let client = waiting[ObjectIdentifier(bound)]?.popFirst() else { return }
        client.awaitedRoom.remove(ObjectIdentifier(bound))
        if !offered.contains(where: { $0 === bound }) { offered.append(bound) }
        add(client)
    }

    /// Gives those who are due their turn.
    func end() {
        guard !due.isEmpty else { return }
        let clients = due
        due = []
        for client in clients {
            client.isDue = false
            client.proceed()
        }
        let bounds = offered
        offered = []
        for bound in bounds { bound.offer() }
    }
}
