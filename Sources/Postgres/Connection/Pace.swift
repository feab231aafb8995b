import Groundwork
import Synchronization

/// How long a statement's queries take, as far as was seen: what decides whether others may be sent behind them.
///
/// A statement begins as if it were slow, earns the trust of others by some twenty short answers, and loses it with the
/// first long one. Any thread; a note that gets lost between two threads does no harm.
final class Pace: Sendable {
    /// A mean up to this is short: others wait behind it no longer than for the processor.
    static let short: Int64 = 1_000_000
    /// A query that takes longer than this is not short, whatever those before it took.
    static let long: Int64 = 10_000_000

    private let unknownCount = Atomic<Int>(0)
    /// A moving mean in nanoseconds.
    private let mean = Atomic<Int64>(Pace.distrust)
    private static let distrust = 16 * short

    /// Whether others may be sent behind it.
    var isShort: Bool { mean.load(ordering: .relaxed) <= Self.short }

    /// Whether the next one of its own group may be sent behind it, so that the server has it at hand.
    var isBrisk: Bool { mean.load(ordering: .relaxed) <= Self.long }

    /// Queries in flight, on all loops, that were sent when they were not short: each holds a connection.
    var inFlightUnknown: Int { unknownCount.load(ordering: .relaxed) }

    /// Notes that such a query is to be sent; ``noteEndedUnknown()`` has to follow. Returns how many there were before: of
    /// two loops that decide at once, one sees the other.
    func noteUnknown() -> Int {
        unknownCount.add(1, ordering: .relaxed).oldValue
    }

    /// Notes that such a query is over.
    func noteEndedUnknown() {
        unknownCount.subtract(1, ordering: .relaxed)
    }

    /// Notes what a query took on the server.
    func note(_ nanoseconds: Int64) {
        let old = mean.load(ordering: .relaxed)
        mean.store(
            nanoseconds > Self.long ? Self.distrust : old + (nanoseconds - old) / 8, ordering: .relaxed)
    }
}
