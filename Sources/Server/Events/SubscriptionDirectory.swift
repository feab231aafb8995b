import Groundwork

/// What every client subscribed to, over all loops: for `PUBSUB`. Touched when subscriptions change, never by events.
final class SubscriptionDirectory: Sendable {
    private let subscriptions = Groundwork.Mutex<[Int: Subscriptions]>([:])

    /// Notes what a client subscribed to by now.
    func update(_ id: Int, _ subscriptions: Subscriptions) {
        self.subscriptions.withLock { $0[id] = subscriptions.isEmpty ? nil : subscriptions }
    }

    /// How many names and patterns a client subscribed to.
    func counts(of id: Int) -> (channels: Int, patterns: Int) {
        subscriptions.withLock { ($0[id]?.channels.count ?? 0, $0[id]?.patterns.count ?? 0) }
    }

    /// The channels that clients named, each once, in their order.
    var channels: [[UInt8]] {
        let all = subscriptions.withLock { $0.values.reduce(into: Set<[UInt8]>()) { $0.formUnion($1.channels) } }
        return all.sorted { $0.lexicographicallyPrecedes($1) }
    }

    /// How many patterns there are, each once.
    var patternCount: Int {
        subscriptions.withLock { $0.values.reduce(into: Set<[UInt8]>()) { $0.formUnion($1.patterns.keys) } }.count
    }

    /// How many clients named a channel.
    func subscriberCount(of channel: [UInt8]) -> Int {
        subscriptions.withLock { $0.values.count { $0.channels.contains(channel) } }
    }
}
