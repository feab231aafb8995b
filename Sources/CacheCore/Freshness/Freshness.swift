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
    private let idleSteps: UInt32
    private let jitter: Double
    /// How long the group's ticks are.
    let scale: TickScale

    init(_ settings: GroupSettings) {
        func nanoseconds(_ duration: Duration) -> Int64 { min(max(0, duration.wholeNanoseconds), TickScale.horizon) }
        life = settings.timeToLive.map(nanoseconds)
        negativeLife = nanoseconds(settings.negativeTimeToLive)
        refreshAge = settings.refreshAfter.map(nanoseconds)
        isRefreshedEarly = settings.earlyRefresh
        stale = nanoseconds(settings.staleIfError)
        idle = settings.idleTimeToLive.map(nanoseconds)
        jitter = min(max(0, settings.jitter), 1)
        scale = TickScale(longest: [(life ?? 0) + stale, negativeLife, refreshAge ?? 0, idle ?? 0].max() ?? 0)
        idleSteps = scale.steps(idle ?? 0)
    }

    /// Whether entries have marks.
    var hasMarks: Bool { refreshAge != nil || (life != nil && (isRefreshedEarly || stale > 0)) }

    /// Whether a value past its time to live is kept to stand in for a failed load.
    var standsIn: Bool { stale > 0 }

    /// Whether every entry leaves when nobody asks for it.
    var endsWhenIdle: Bool { idle != nil }

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
            expires: expires.map { scale.tick($0) }, swept: leaves.map { scale.tick($0) }, marks: nil)
        if hasMarks {
            let refresh = value.isMissing ? nil : refreshAge.map { now + spreading($0) }
            // One of them is there, or there would be no marks.
            let refreshAt = scale.tick(refresh ?? staleAt ?? now)
            times.marks = Marks(
                stale: staleAt.map { scale.tick($0) } ?? refreshAt, refresh: refreshAt,
                cost: value.isMissing || staleAt == nil ? 0 : scale.exactSteps(cost))
            if leaves == nil { times.swept = scale.tick(now).advanced(by: Tick.farthest) }
        }
        return times
    }

    /// The latest times that an entry has which comes in at `now`, nanoseconds since the group's start; nil: any.
    func latestTimes(isMissing: Bool, at now: Int64) -> (stale: Tick?, refresh: Tick?, expires: Tick?) {
        let end = (isMissing ? negativeLife : life).map { now + $0 }
        return (
            end.map { scale.tick($0) }, isMissing ? nil : refreshAge.map { scale.tick(now + $0) },
            end.map { scale.tick(isMissing ? $0 : $0 + stale) }
        )
    }

    /// When an entry leaves memory; nil: never.
    func leaving(_ slot: Slot) -> Tick? {
        let expires = slot.flags.contains(.unlimited) ? nil : slot.expires
        guard endsWhenIdle else { return expires }
        return Tick.earliest(expires, slot.asked.advanced(by: idleSteps))
    }

    /// How long an entry is served if nobody asks for it; nil: without limit.
    func servedUntil(_ slot: Slot) -> Tick? {
        let stale = slot.flags.contains(.unlimited) ? nil : Record(slot)?.marks?.stale
        return Tick.earliest(stale, leaving(slot))
    }

    /// Whether an entry's time to live is over.
    func isStale(_ slot: Slot, at now: Tick) -> Bool {
        // Other entries leave when it is over.
        guard slot.flags.contains(.marks), !slot.flags.contains(.unlimited) else { return false }
        return Record(slot)?.marks?.stale.isReached(at: now) ?? false
    }

    /// Whether a hit at `now` is to reload the entry. `chance`, in 0..<1, decides about early refresh.
    func needsRefresh(_ marks: Marks, at now: Tick, chance: () -> Double) -> Bool {
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
        marks.refresh = now.advanced(by: max(1, scale.steps(1_000_000_000)))
        return marks
    }
}
