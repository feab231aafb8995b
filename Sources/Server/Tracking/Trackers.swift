import CacheCore

/// The client connections of one loop that are told of changes (``Tracking``).
///
/// While there is one, every group is observed; while there is none, an event costs nothing. Confined to the loop.
final class Trackers {
    private let server: ServerContext
    private let table: TrackingTable
    /// All clients of the loop, including those that do not track.
    private unowned let clients: Clients
    private var connections: [Int: ClientConnection] = [:]
    private var observations = GroupObservations()

    init(of clients: Clients, _ table: TrackingTable) {
        self.clients = clients
        self.table = table
        server = clients.server
    }

    /// Takes note of how a client tracks from now on. It is told of changes to what it reads after this.
    func update(_ client: ClientConnection) {
        let wasIn = connections.updateValue(client, forKey: client.id) != nil
        if client.tracking == nil { connections[client.id] = nil }
        if !wasIn, client.tracking == nil { return }
        table.setBroadcasts(connections.values.contains { $0.tracking?.isBroadcast == true })
        let tracking = client.tracking
        server.directory.update(client.id) { $0.tracking = tracking }
        observeIfWanted()
    }

    /// Forgets a connection that closed.
    func remove(_ client: ClientConnection) {
        guard client.tracking != nil else { return }
        client.tracking = nil
        update(client)
    }

    private func observeIfWanted() {
        if connections.isEmpty {
            observations.end()
            // A client that begins to track later does so on this loop, so after this.
            table.forgetAll()
        } else if observations.isEmpty {
            followGroups()
        }
    }

    /// Observes the groups that are served by now, and no others.
    func followGroups() {
        guard !connections.isEmpty else { return }
        let gone = observations.follow(clients.keyspace.groups) { [table] group in
            group.addObserver(flushed: { [unowned group] in table.allChanged(of: group) }) {
                [unowned group] event, key in
                switch event {
                case .loaded: break
                case .replaced, .unkept, .expired, .evicted, .invalidated: table.changed(key, of: group)
                }
            }
        }
        for group in gone { table.allChanged(of: group) }
    }

    /// Notes that a client is about to read a key that it asked for as `text`.
    func note(_ key: Key, in group: Group, as text: [UInt8], by client: ClientConnection) {
        table.note(Readings.Reading(client: client.id, text: text), of: key, in: group)
    }

    // MARK: Telling

    /// What one client has to be told.
    private struct Told {
        /// That everything may have changed, before the keys are told.
        var everything = false
        var keys: [[UInt8]] = []

        mutating func addEverything() {
            everything = true
            keys = []
        }
    }

    /// Tells clients what is waiting in the mailbox. Called between events, so that what a client was answered before stands
    /// before it.
    func deliver() {
        guard !table.mailbox.isEmpty else { return }
        let (notices, hasLost) = table.mailbox.take()
        var told: [Int: Told] = [:]
        // Lost notices may have been for clients of other loops, by REDIRECT.
        if hasLost { server.tellEverything() }
        for notice in notices { add(notice, to: &told) }
        for (id, told) in told {
            guard let client = connections[id] else { continue }
            if told.everything { tell(nil, to: client) }
            if !told.keys.isEmpty { tell(told.keys, to: client) }
        }
    }

    private func add(_ notice: Notice, to told: inout [Int: Told]) {
        switch notice {
        case .keys(let texts, let id, let cause):
            guard let tracking = connections[id]?.tracking, !(tracking.skipsOwn && cause == id) else { return }
            told[id, default: Told()].keys += texts
        case .everything(let id):
            if connections[id] != nil { told[id, default: Told()].addEverything() }
        case .broadcast(let text, let cause):
            for (id, client) in connections {
                guard let tracking = client.tracking, !(tracking.skipsOwn && cause == id) else { continue }
                told[id, default: Told()].keys += tracking.texts(of: text, prefix: server.keyPrefix)
            }
        case .broadcastGroup(let name):
            for (id, client) in connections {
                let isMeant = client.tracking?.mayMatchKeys(of: name, prefix: server.keyPrefix) == true
                if isMeant { told[id, default: Told()].addEverything() }
            }
        case .everythingForAll: for id in connections.keys { told[id, default: Told()].addEverything() }
        case .redirected(let texts, let id): clients.client(numbered: id)?.tellRedirected(texts)
        }
    }

    private func tell(_ texts: [[UInt8]]?, to client: ClientConnection) {
        guard let redirect = client.tracking?.redirect else { return client.tellInvalidated(texts) }
        guard let target = server.directory.record(of: redirect) else { return client.tellRedirectionIsBroken() }
        server.tracking[target.loop].mailbox.post(.redirected(texts, to: redirect))
    }
}
