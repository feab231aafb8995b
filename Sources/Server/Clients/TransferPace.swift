import Groundwork

/// How fast a client takes its replies, or sends the rest of a request: what went over its socket since a time.
struct TransferPace {
    let since: Instant
    var taken = 0

    /// For how long it is looked at.
    static let interval: Duration = .seconds(2)
    /// A client that would take longer than this for what waits for it goes when others wait for the room.
    static let slowest: Duration = .seconds(10)

    init(at now: Instant) {
        since = now
    }

    /// When it can be told next.
    var nextLook: Instant { since + Self.interval }

    /// How long so many bytes take at that.
    func time(for byteCount: Int, at now: Instant) -> Duration {
        let nanoseconds =
            Double(byteCount) * Double(max(0, now.nanoseconds - since.nanoseconds)) / Double(max(1, taken))
        return .nanoseconds(Int64(min(nanoseconds, 1e18)))
    }
}
