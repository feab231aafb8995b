import CacheCore
import EventLoop
import Logging

/// The client connections of one loop that subscribed to events of keys.
///
/// While there is one, every group is observed; otherwise nothing is, and an event costs nothing. Confined to the loop but
/// for what the groups call.
final class Subscribers: @unchecked Sendable {
    // Unchecked: observers use the mailbox and the loop's `submit`, which any thread may; the rest is the loop's thread's.

    private let loop: EventLoop
    private let server: ServerContext
    private let mailbox: EventMailbox
    private var connections: [Int: ClientConnection] = [:]
    private var observations: [(group: Group, observation: Observation)] = []

    /// So many events are told in one turn, so that requests are answered in between.
    private static let turn = 256

    init(on loop: EventLoop, server: ServerContext) {
        self.loop = loop
        self.server = server
        mailbox = EventMailbox(limit: server.settings.maxOutput)
    }

    /// Takes note of what a client subscribed to by now. An event that comes after this reaches it.
    func update(_ connection: ClientConnection) {
        server.subscriptions.update(connection.id, connection.subscriptions)
        connections[connection.id] = connection.subscriptions.mayMatchEvents ? connection : nil
        observeIfWanted()
    }

    /// Forgets a connection that closed.
    func remove(_ connection: ClientConnection) {
        if !connection.subscriptions.isEmpty { server.subscriptions.update(connection.id, Subscriptions()) }
        guard connections.removeValue(forKey: connection.id) != nil else { return }
        observeIfWanted()
    }

    private func observeIfWanted() {
        if connections.isEmpty {
            for (group, observation) in observations { group.removeObserver(observation) }
            observations = []
        } else if observations.isEmpty {
            observations = server.keyspace.groups.map { served in
                let group = served.group
                let observation = group.addObserver { [self, unowned group] event, key in
                    if let event = KeyspaceEvent(event, of: key, in: group) { publish(event) }
                }
                return (group, observation)
            }
        }
    }

    /// Any thread, outside every lock.
    private func publish(_ event: KeyspaceEvent) {
        guard mailbox.post(event) else { return }
        loop.submit { [self] in deliver() }
    }

    private func deliver() {
        let (events, isMore, hasLost) = mailbox.take(Self.turn)
        if isMore { loop.submit { [self] in deliver() } }
        // A copy: who can't be sent to closes, and leaves the list.
        let connections = Array(connections.values)
        if hasLost {
            server.logger.warning("more keyspace events than \(connections.count) subscribers could be told: closed")
            for connection in connections { connection.closeAsSlowReader() }
            return
        }
        let messages = events.flatMap(\.messages)
        for connection in connections { connection.tell(messages) }
    }
}
