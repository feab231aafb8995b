import Glibc
import Groundwork

/// A group's rules of time, in ticks: when a new entry turns stale, is refreshed and leaves, and what a lookup may do with
/// one that is there.
struct Freshness: Sendable {
    private let life: Int64?
    private let negativeLife: Int64
    private let refreshAge: Int64?
    private let isRefreshedEarly: Bool
    private let stale: Int64
    private let idle: Int64?
    private let jitter: Double

    init(_ settings: GroupSettings) {
        func nanoseconds(_ duration: Duration) -> Int64 { min(max(0, duration.wholeNanoseconds), Tick.horizon / 2) }
        life = settings.timeToLive.map(nanoseconds)
        negativeLife = nanoseconds(settings.negativeTimeToLive)
        refreshAge = settings.refreshAfter.map(nanoseconds)
        isRefreshedEarly = settings.earlyRefresh
        stale = nanoseconds(settings.staleIfError)
        idle = settings.idleTimeToLive.map(nanoseconds)
        jitter = min(max(0, settings.jitter), 1)
    }

    /// Whether entries have marks.
    var hasMarks: Bool { refreshAge != nil || isRefreshedEarly || (stale > 0 && life != nil) }

    /// Whether a value is worth storing at all.
    func keeps(_ value: Value) -> Bool { value.isMissing ? negativeLife > 0 : life != 0 }

    /// The times of an entry that was loaded at `now` (nanoseconds since the group's start) at a cost of `cost`
    /// nanoseconds; `chance`, in 0..<1, spreads them.
    func times(of value: Value, at now: Int64, cost: Int64, chance: Double) -> Times {
        let spread = 1 - jitter * chance
        func spreading(_ nanoseconds: Int64) -> Int64 { Int64(Double(nanoseconds) * spread) }
        let life = value.isMissing ? negativeLife : life
        let staleAt = life.map { now + spreading($0) }
        let expires = staleAt.map { value.isMissing ? $0 : $0 + stale }
        let leaves = [expires, idle.map { now + $0 }].compactMap { $0 }.min()
        var times = Times(
            expires: expires.map { Tick(nanoseconds: $0) }, leaves: leaves.map { Tick(nanoseconds: $0) }, marks: nil)
        if hasMarks {
            let refresh = value.isMissing ? nil : refreshAge.map { now + spreading($0) }
            times.marks = Marks(
                stale: Tick(nanoseconds: staleAt ?? now + Tick.horizon),
                refresh: Tick(nanoseconds: refresh ?? staleAt ?? now + Tick.horizon),
                cost: value.isMissing ? 0 : Float(cost) / Float(1 << 24))
        }
        return times
    }

    /// When an entry leaves memory; nil: never.
    func leaving(_ slot: Slot) -> Tick? {
        let expires = slot.flags.contains(.unlimited) ? nil : slot.expires
        guard let idle else { return expires }
        return Tick.earliest(expires, Tick(count: slot.asked.count &+ UInt32(truncatingIfNeeded: idle >> 24)))
    }

    /// Whether a hit at `now` is to reload the entry. `chance`, in 0..<1, decides about early refresh.
    func isDue(_ marks: Marks, at now: Tick, chance: () -> Double) -> Bool {
        if marks.refresh.isReached(at: now) { return true }
        guard isRefreshedEarly, marks.cost > 0 else { return false }
        // now - cost * beta * ln(chance) >= expiry, with a beta of 1. Below 2^-53 there is no chance, so from 37 times the
        // cost on no number needs to be drawn.
        let left = Double(Int32(bitPattern: marks.stale.count &- now.count))
        guard left < 37 * Double(marks.cost) else { return false }
        return -log(1 - chance()) * Double(marks.cost) >= left
    }

    /// The marks after a failed refresh: it is tried again after a second, not at each hit, nor by chance before.
    func postponed(_ marks: Marks, at now: Tick) -> Marks {
        var marks = marks
        marks.cost = 0
        marks.refresh = Tick(count: now.count &+ UInt32(1_000_000_000 >> 24))
        return marks
    }
}
