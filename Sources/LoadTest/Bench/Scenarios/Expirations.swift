import Groundwork

/// Has hot keys go from memory, all at once, again and again.
struct Expirations: Sendable {
    private let route: Route
    private let keys: KeySet
    private let watch: DatabaseWatch

    /// What came of it.
    struct Outcome: Sendable {
        var count = 0
        /// The most queries between one time and the next; nil when nothing was to go.
        var mostQueries: Int?
    }

    init(_ route: Route, _ keys: KeySet, _ watch: DatabaseWatch) {
        (self.route, self.keys, self.watch) = (route, keys, watch)
    }

    /// Two in a second, at most ten.
    private static func count(in seconds: Double) -> Int { max(1, min(10, Int(seconds * 2))) }

    /// Does it in the measured time, at equal distances.
    func run(_ times: RunTimes) async throws -> Outcome {
        try await onOwnThread { try expire(times) }
    }

    private func expire(_ times: RunTimes) throws -> Outcome {
        let count = Self.count(in: Double(times.end - times.start) / 1e9)
        let distance = (times.end - times.start) / Int64(count)
        let server: ServerAddress
        switch route {
        // There every ask is a query anyway.
        case .database: return Outcome(count: count)
        case .sidecar(let sidecar): server = sidecar
        case .redis(let redis): server = redis.server
        }
        var connection = try BlockingConnection.connect(to: server)
        let counter = try watch.counter()
        var outcome = Outcome()
        var last: Int?
        for index in 0..<count {
            Instant(nanoseconds: times.start + distance / 2 + Int64(index) * distance).wait()
            note(counter.count, &outcome, &last)
            if case .error(let text) = try connection.ask(["DEL"] + (0..<keys.count).map { keys.text($0) }) {
                throw BenchError(.unsuitable, "the hot keys can't be dropped: \(text)")
            }
            outcome.count += 1
        }
        Instant(nanoseconds: times.end).wait()
        note(counter.count, &outcome, &last)
        return outcome
    }

    private func note(_ count: Int?, _ outcome: inout Outcome, _ last: inout Int?) {
        guard let count else { return }
        if let last { outcome.mostQueries = max(outcome.mostQueries ?? 0, count - last) }
        last = count
    }
}
