import Groundwork

/// What every client subscribed to, over all loops: for `PUBSUB`. Touched when subscriptions change, never by events.
final class SubscriptionDirectory: Sendable {
    private struct State: Sendable {
        /// How many clients subscribed to each.
        var channels: [[UInt8]: Int] = [:]
        var patterns: [[UInt8]: Int] = [:]
        /// By the client's number.
        var counts: [Int: (channels: Int, patterns: Int)] = [:]
    }

    private let state = Groundwork.Mutex(State())

    /// Notes what a client has, and what of it is new or gone since the last time. O(changes).
    func update(_ id: Int, _ subscriptions: Subscriptions, _ changes: [Subscriptions.Change]) {
        let counts = (subscriptions.channels.count, subscriptions.patterns.count)
        state.withLock { state in
            state.counts[id] = subscriptions.isEmpty ? nil : counts
            for change in changes {
                switch change.kind {
                case .channel: Self.count(change, in: &state.channels)
                case .pattern: Self.count(change, in: &state.patterns)
                }
            }
        }
    }

    private static func count(_ change: Subscriptions.Change, in names: inout [[UInt8]: Int]) {
        let count = names[change.name, default: 0] + (change.isNew ? 1 : -1)
        names[change.name] = count > 0 ? count : nil
    }

    /// How many names and patterns a client subscribed to.
    func counts(of id: Int) -> (channels: Int, patterns: Int) {
        state.withLock { $0.counts[id] ?? (0, 0) }
    }

    /// The channels that clients named, each once, in their order. O(n log n).
    var channels: [[UInt8]] {
        state.withLock { Array($0.channels.keys) }.sorted { $0.lexicographicallyPrecedes($1) }
    }

    /// How many patterns there are, each once.
    var patternCount: Int { state.withLock { $0.patterns.count } }

    /// How many clients named a channel.
    func subscriberCount(of channel: [UInt8]) -> Int {
        state.withLock { $0.channels[channel] ?? 0 }
    }
}
