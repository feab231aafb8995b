import Glibc
import Groundwork

/// When asks are due. Times are nanoseconds of the monotonic clock.
///
/// What is due and not taken waits in here, so a load that falls behind needs no memory, and every ask keeps the time that it
/// was due at.
struct Schedule: Sendable {
    private enum Kind {
        /// Whoever is free asks at once.
        case closed
        /// A Poisson process: gaps of this mean length, drawn one by one.
        case open(meanGap: Double)
    }

    private let kind: Kind
    private let end: Int64
    private var random: SplitMix64
    /// When the next ask is due, in an open loop.
    private var next: Double

    /// A closed loop from now to `end`.
    static func closed(until end: Int64) -> Schedule {
        Schedule(.closed, from: 0, until: end, seed: 0)
    }

    /// `rate` asks a second on the average, from `start` to `end`.
    static func open(rate: Double, from start: Int64, until end: Int64, seed: UInt64) -> Schedule {
        Schedule(.open(meanGap: 1e9 / rate), from: start, until: end, seed: seed)
    }

    private init(_ kind: Kind, from start: Int64, until end: Int64, seed: UInt64) {
        self.kind = kind
        self.end = end
        random = SplitMix64(seed: seed)
        next = Double(start)
        advance()
    }

    /// Takes the next ask if it is due at `now`, and returns when it was.
    mutating func take(at now: Int64) -> Int64? {
        switch kind {
        case .closed: return now < end ? now : nil
        case .open:
            guard let due = nextDue, due <= now else { return nil }
            advance()
            return due
        }
    }

    /// A time, or the schedule's last moment when that is past: what was taken before its end belongs before it.
    func within(_ time: Int64) -> Int64 { min(time, end - 1) }

    /// When the next ask is due; nil when there is none any more. In a closed loop that is not for it to say.
    var nextDue: Int64? {
        let due = Int64(next)
        return due < end ? due : nil
    }

    /// Whether no ask will ever be due again.
    func isOver(at now: Int64) -> Bool {
        switch kind {
        case .closed: now >= end
        case .open: nextDue == nil
        }
    }

    private mutating func advance() {
        guard case .open(let meanGap) = kind else { return }
        // Above 0, at most 1.
        next -= log(1 - random.chance()) * meanGap
    }
}
