import Groundwork

/// Where a database's connections lead, as libpq chose among the hosts of the URL. Any thread.
final class ConnectedHosts: Sendable {
    private struct State {
        var counts: [String: Int] = [:]
        var last: String?
    }

    private let state = Groundwork.Mutex(State())

    /// How many connections lead to each.
    var counts: [String: Int] { state.withLock { $0.counts } }

    /// A connection was made.
    func came(_ host: String) {
        state.withLock { $0.counts[host, default: 0] += 1 }
    }

    /// A connection is gone.
    func left(_ host: String) {
        state.withLock { state in
            state.counts[host, default: 1] -= 1
            if state.counts[host] == 0 { state.counts[host] = nil }
        }
    }

    /// Notes where the newest connection leads. Returns where the one before led, if that was elsewhere.
    func goes(to host: String) -> String? {
        state.withLock { state in
            defer { state.last = host }
            return state.last == host ? nil : state.last
        }
    }
}
