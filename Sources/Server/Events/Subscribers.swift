import CacheCore
import EventLoop
import Groundwork
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
    private var observations = GroupObservations()

    /// What is being told, and to whom it is still to be told.
    private var telling: (messages: [KeyspaceEvent.Message], rest: [ClientConnection]) = ([], [])

    /// How long one turn of telling lasts, so that requests are answered in between; and how many events are taken at once,
    /// fewer when they are compared with many patterns.
    private static let turn: Duration = .milliseconds(1)
    private static let most = 256
    private static let mostComparisons = 8192

    init(on loop: EventLoop, server: ServerContext) {
        self.loop = loop
        self.server = server
        mailbox = EventMailbox(limit: server.settings.maxOutput)
    }

    /// Takes note of what a client subscribed to by now. An event that comes after this reaches it.
    func update(_ connection: ClientConnection, _ changes: [Subscriptions.Change]) {
        server.subscriptions.update(connection.id, connection.subscriptions, changes)
        connections[connection.id] = connection.subscriptions.mayMatchEvents ? connection : nil
        observeIfWanted()
    }

    /// Forgets a connection that closed.
    func remove(_ connection: ClientConnection) {
        server.subscriptions.update(connection.id, Subscriptions(), connection.subscriptions.removals)
        guard connections.removeValue(forKey: connection.id) != nil else { return }
        observeIfWanted()
    }

    private func observeIfWanted() {
        if connections.isEmpty {
            observations.end()
        } else if observations.isEmpty {
            followGroups()
        }
    }

    /// Takes note of which groups are served by now.
    func followGroups() {
        guard !connections.isEmpty else { return }
        observations.follow(server.groups) { group in
            group.addObserver { [self, unowned group] event, key in
                if let event = KeyspaceEvent(event, of: key, in: group) { publish(event) }
            }
        }
    }

    /// Tells that changes of some groups are heard of again, or no longer. Any thread.
    func tell(_ groups: [Group], hearOfChanges: Bool) {
        for group in groups { publish(KeyspaceEvent(group, hearsOfChanges: hearOfChanges)) }
    }

    /// Any thread, outside every lock.
    private func publish(_ event: KeyspaceEvent) {
        guard mailbox.post(event) else { return }
        loop.submit { [self] in deliver() }
    }

    private func deliver() {
        var isMore = true
        if telling.rest.isEmpty { isMore = takeNext() }
        let end = Instant.now() + Self.turn
        while let connection = telling.rest.popLast() {
            connection.tell(telling.messages)
            if Instant.now() >= end { break }
        }
        if telling.rest.isEmpty { telling = ([], []) } else { isMore = true }
        if isMore { loop.submit { [self] in deliver() } }
    }

    /// Takes the next events, which are told to everybody before others are taken. Returns whether there are more.
    private func takeNext() -> Bool {
        let patterns = connections.values.reduce(0) { max($0, $1.subscriptions.patterns.count) }
        let (events, isMore, hasLost) = mailbox.take(max(1, min(Self.most, Self.mostComparisons / (patterns + 1))))
        // A copy: a client that can't be sent to closes, and leaves the list.
        let connections = Array(connections.values)
        if hasLost {
            server.logger.warning("more keyspace events than \(connections.count) subscribers could be told: closed")
            for connection in connections { connection.close(because: .lostEvents) }
        } else if !events.isEmpty {
            telling = (events.flatMap(\.messages), connections)
        }
        return isMore
    }
}
