import Groundwork

/// How one connection is occupied: a queue of queries of which the server runs the first. No I/O, no clock.
struct Lane: Occupied {
    /// The number of answers that are due.
    private(set) var depth = 0
    /// How many of them each getter has, by its index.
    private var counts: [Int]
    /// How many of them are to queries of unknown length.
    private var unknownCount = 0
    /// When the server could begin with the oldest one.
    private(set) var headSince = Instant(nanoseconds: 0)
    /// What a message to the server and its answer take at least, in nanoseconds.
    private(set) var roundTrip: Int64
    /// Whether its owner keeps further queries off it, for whatever reason.
    var isShut = false
    /// Whether it does so for good, since the connection is to be closed.
    var isRetiring = false
    /// Whether it is kept for a query of unknown length, which goes to idle connections only.
    var isKeptFree = false

    init(getterCount: Int, roundTrip: Int64) {
        counts = Array(repeating: 0, count: getterCount)
        self.roundTrip = roundTrip
    }

    func count(of getter: Int) -> Int { counts[getter] }

    func flows(at now: Instant) -> Bool {
        guard !isShut, !isRetiring else { return false }
        return depth == 0 || unknownCount == 0 && !isLate(at: now)
    }

    /// Whether the oldest query runs longer than a short one would.
    func isLate(at now: Instant) -> Bool {
        depth > 0 && now.nanoseconds - headSince.nanoseconds > Pace.long
    }

    /// A query was sent; nil is the owner's own, for which nobody waits.
    mutating func send(_ getter: Int?, isUnknown: Bool, at now: Instant) {
        if depth == 0 { headSince = now.advanced(byNanoseconds: roundTrip) }
        depth += 1
        if let getter { counts[getter] += 1 }
        if isUnknown { unknownCount += 1 }
    }

    /// One that was sent is nobody's any more; it still runs.
    mutating func takeBack(_ getter: Int) {
        counts[getter] -= 1
    }

    /// The oldest one, sent at `sentAt`, is over; the one behind it was sent at `nextSentAt`. Returns what it took on the
    /// server, in nanoseconds.
    mutating func finish(
        _ getter: Int?, isUnknown: Bool, sentAt: Instant, nextSentAt: Instant?, at now: Instant
    ) -> Int64 {
        let took = max(0, now.nanoseconds - headSince.nanoseconds)
        roundTrip = max(0, min(roundTrip, now.nanoseconds - sentAt.nanoseconds))
        headSince = max(now, nextSentAt?.advanced(byNanoseconds: roundTrip) ?? now)
        depth -= 1
        if let getter { counts[getter] -= 1 }
        if isUnknown { unknownCount -= 1 }
        return took
    }
}
