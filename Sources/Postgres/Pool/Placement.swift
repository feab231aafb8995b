import Groundwork

/// What the choice of a connection looks at.
protocol Occupied {
    /// The number of answers that are due.
    var depth: Int { get }
    /// How many of them are a getter's.
    func count(of getter: Int) -> Int
    /// Whether nothing is in flight, or only what is known to be short and is not late.
    func flows(at now: Instant) -> Bool
    /// Whether it is kept for a query of unknown length.
    var isKeptFree: Bool { get }
}

/// Which connection a load goes to. A decision without state, I/O or clock: all it knows is how the connections of one pool
/// are occupied.
///
/// - Nothing is sent behind a query of unknown length; it waits in the pool, from where it can go to whichever connection
///   becomes free first.
/// - A query of unknown length goes to an idle connection.
/// - One group is in flight on all connections but one at most, so that there is a way past it whatever becomes of its
///   queries: those that were short may meet a lock.
struct Placement {
    /// What is to be sent.
    struct Query {
        /// Whose it is.
        let getter: Int
        /// Whether its group's queries are known to be short.
        let isShort: Bool
        /// How many connections its group holds in all pools, by queries of unknown length.
        var held = 0
        /// How many of its own group may be in flight on a connection already.
        var ownLimit = Int.max
        /// Whether it may be sent behind one of its own group though that one is not short.
        var mayFollowOwn = false
    }

    enum Choice: Equatable {
        /// Send it there.
        case connection(Int)
        /// Let it wait, and keep the connection for it that is to become idle.
        case waits(keepingFree: Int?)
    }

    /// Queries in flight on one connection at most.
    let depthLimit: Int
    /// Connections of all pools together. A pool of several leaves one to the other groups itself; pools of one do so
    /// together.
    var connectionsInAll = 1

    func choose(_ query: Query, among connections: [some Occupied], at now: Instant) -> Choice {
        var used = 0
        var flowing = 0
        for connection in connections {
            if connection.count(of: query.getter) > 0 { used += 1 }
            if connection.flows(at: now) { flowing += 1 }
        }
        let limit = connections.count > 1 ? connections.count - 1 : leavesOne(query) ? 1 : 0
        // Beyond its first one, a query that may be slow does not take the last connection that works.
        let mayTakeMore = used < limit && (query.isShort || used == 0 || flowing > 1)
        var best: Int?
        var toKeepFree: Int?
        for (index, connection) in connections.enumerated() {
            let own = connection.count(of: query.getter)
            guard own > 0 || mayTakeMore, own <= query.ownLimit else { continue }
            if takes(query, connection, own: own, at: now) {
                if connection.depth < best.map({ connections[$0].depth }) ?? .max { best = index }
            } else if !query.isShort, own == 0, connection.flows(at: now),
                connection.depth < toKeepFree.map({ connections[$0].depth }) ?? .max
            {
                toKeepFree = index
            }
        }
        return best.map { .connection($0) } ?? .waits(keepingFree: toKeepFree)
    }

    /// Whether one connection somewhere is not the group's though it gets one more.
    func leavesOne(_ query: Query) -> Bool {
        query.isShort || query.held == 0 || connectionsInAll < 2 || query.held < connectionsInAll - 1
    }

    private func takes(_ query: Query, _ connection: some Occupied, own: Int, at now: Instant) -> Bool {
        if query.isShort {
            return !connection.isKeptFree && connection.depth < depthLimit && connection.flows(at: now)
        }
        if connection.depth == 0 { return connection.flows(at: now) }
        return query.mayFollowOwn && own == 1 && connection.depth == 1 && depthLimit > 1
    }
}
