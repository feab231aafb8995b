/// What an entry of a group with soft expiry knows beyond the time when it leaves memory.
struct Marks: BitwiseCopyable {
    /// The end of its time to live: from then on it is served only in place of a failed load. Means nothing in an
    /// unlimited entry.
    var stale: Tick
    /// From then on it is served and reloaded.
    var refresh: Tick
    /// What its load cost, in ticks, not rounded; for early refresh.
    var cost: Float

    /// The same, or earlier.
    func limited(to latest: (stale: Tick?, refresh: Tick?, expires: Tick?)) -> Marks {
        var marks = self
        if let stale = latest.stale, !marks.stale.isReached(at: stale) { marks.stale = stale }
        if let refresh = latest.refresh, !marks.refresh.isReached(at: refresh) { marks.refresh = refresh }
        return marks
    }
}

/// The times that a new entry is stored with.
struct Times {
    /// When its last use is over; nil: never.
    var expires: Tick?
    /// When the sweep is to look at it: when it leaves memory unless it is asked for, or before its marks wrap round.
    /// Nil: never.
    var swept: Tick?
    /// For groups with soft expiry.
    var marks: Marks?

    /// How the slot tells of them.
    var flags: Slot.Flags {
        var flags: Slot.Flags = []
        if expires == nil { flags.insert(.unlimited) }
        if marks != nil { flags.insert(.marks) }
        return flags
    }
}
