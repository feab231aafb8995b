/// What is known of an entry beside key and value. Times are nanoseconds of the cache's clock; `.max` is never.
@usableFromInline
struct Slot: BitwiseCopyable, Sendable {
    @usableFromInline var cost = 0
    @usableFromInline var created: Int64 = 0
    @usableFromInline var accessed: Int64 = 0
    /// How often it was asked for.
    @usableFromInline var accesses = 0
    /// Until then a hit has nothing to decide, unless nobody asked for `idle`.
    @usableFromInline var calmUntil: Int64 = .max
    /// The end of its time to live: from then on it is served only in place of a failed load.
    @usableFromInline var stale: Int64 = .max
    /// From then on it is not served at all.
    @usableFromInline var leaves: Int64 = .max
    /// From then on it is served and reloaded.
    @usableFromInline var refresh: Int64 = .max
    /// It leaves when nobody asks for it this long.
    @usableFromInline var idle: Int64 = .max
    /// What its load took; 0: it is not refreshed early.
    @usableFromInline var loadTime: Int64 = 0
    /// Its neighbours in the order of last use; -1: none.
    @usableFromInline var newer = -1
    @usableFromInline var older = -1

    init() {}

    /// Whether it will leave at some time by itself.
    var isExpiring: Bool { leaves != .max || idle != .max }

    /// When it leaves if nobody asks for it.
    var end: Int64 { min(leaves, Rules.later(accessed, idle)) }
}
