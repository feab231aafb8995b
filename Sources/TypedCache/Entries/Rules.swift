import Glibc
import Groundwork

/// A cache's rules of time: when a new entry turns stale, is refreshed and leaves, and what a lookup may do with it.
struct Rules: Sendable {
    private let lifespan: Lifespan
    private let negativeLife: Int64
    private let refreshAfter: Int64
    private let isRefreshedEarly: Bool
    private let staleIfError: Int64
    private let jitter: Double

    /// How a lookup may use an entry.
    enum Standing {
        /// It is served.
        case fresh
        /// It is served and reloaded.
        case needsRefresh
        /// It is served in place of a failed load only.
        case stale
        /// It is not served.
        case expired
    }

    init(_ settings: CacheSettings) {
        lifespan = Lifespan(timeToLive: settings.timeToLive, idleTimeToLive: settings.idleTimeToLive)
        negativeLife = Self.nanoseconds(settings.negativeTimeToLive)
        refreshAfter = Self.nanoseconds(settings.refreshAfter)
        isRefreshedEarly = settings.earlyRefresh
        staleIfError = Self.nanoseconds(settings.staleIfError)
        jitter = min(max(0, settings.jitter), 1)
    }

    /// A length of time; nil is endless.
    static func nanoseconds(_ duration: Duration?) -> Int64 {
        guard let duration else { return .max }
        let longest = Int64.max / 4
        return min(max(0, duration.wholeNanoseconds), longest)
    }

    /// The time so much later.
    static func later(_ time: Int64, _ length: Int64) -> Int64 {
        let (sum, overflow) = time.addingReportingOverflow(length)
        return overflow ? .max : sum
    }

    /// The slot of an entry that came in at `now` and took `loadTime` to load; `chance`, in 0..<1, spreads its times. Nil: it
    /// is not worth keeping. `own` goes before the cache's life span.
    func slot(
        isMissing: Bool, own: Lifespan?, cost: Int, loadTime: Int64, at now: Int64, chance: Double
    ) -> Slot? {
        let spread = 1 - jitter * chance
        func spreading(_ length: Int64) -> Int64 {
            length == .max || spread == 1 ? length : Int64(Double(length) * spread)
        }
        let lifespan = own ?? lifespan
        let life = isMissing ? negativeLife : Self.nanoseconds(lifespan.timeToLive)
        guard life > 0 else { return nil }
        var slot = Slot()
        slot.cost = cost
        slot.created = now
        slot.accessed = now
        slot.idle = Self.nanoseconds(lifespan.idleTimeToLive)
        slot.stale = Self.later(now, spreading(life))
        if isMissing {
            slot.leaves = slot.stale
        } else {
            slot.leaves = Self.later(slot.stale, staleIfError)
            slot.refresh = Self.later(now, spreading(refreshAfter))
            if isRefreshedEarly, slot.stale != .max { slot.loadTime = loadTime }
        }
        slot.calmUntil = calm(slot)
        return slot
    }

    func standing(of slot: Slot, at now: Int64, chance: () -> Double) -> Standing {
        if slot.end <= now { return .expired }
        if slot.stale <= now { return .stale }
        if slot.refresh <= now { return .needsRefresh }
        guard slot.loadTime > 0 else { return .fresh }
        // now - cost * beta * ln(chance) >= expiry, with a beta of 1.
        return -log(1 - chance()) * Double(slot.loadTime) >= Double(slot.stale - now) ? .needsRefresh : .fresh
    }

    /// While a refresh is under way, no hit starts another.
    func refreshing(_ slot: Slot) -> Slot {
        var slot = slot
        slot.refresh = .max
        slot.loadTime = 0
        slot.calmUntil = calm(slot)
        return slot
    }

    /// After a failed refresh it is tried again after a second, not at each hit.
    func postponed(_ slot: Slot, at now: Int64) -> Slot {
        var slot = refreshing(slot)
        guard refreshAfter != .max || isRefreshedEarly else { return slot }
        slot.refresh = Self.later(now, 1_000_000_000)
        slot.calmUntil = calm(slot)
        return slot
    }

    private func calm(_ slot: Slot) -> Int64 {
        // Below 2^-53 there is no chance, so longer than 37 times the load before the end no number needs to be drawn.
        let (window, overflow) = slot.loadTime.multipliedReportingOverflow(by: 37)
        let early = slot.loadTime == 0 ? .max : overflow ? .min : slot.stale - window
        return min(slot.stale, slot.refresh, early)
    }
}
