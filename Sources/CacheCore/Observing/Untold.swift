import Groundwork

/// The keys that are gone from memory, or have another value, and of which the thread that saw to it is still about to tell the
/// observers.
///
/// An invalidation that finds nothing to drop would else be over before they know that what they may keep is stale: it tells of
/// such a key itself.
struct Untold {
    /// How many threads are about to tell of each.
    private var counts: [Key: Int] = [:]

    func contains(_ key: Key) -> Bool { counts[key] != nil }

    /// Whether there are none: then no key has to be made to find out.
    var isEmpty: Bool { counts.isEmpty }

    /// Takes in what a thread is going to tell. Returns whether it is to call ``remove(_:)`` when that is done.
    mutating func add(_ events: [(event: GroupEvent, key: Key)]) -> Bool {
        var hasAny = false
        for (event, key) in events where event != .loaded {
            counts[key, default: 0] += 1
            hasAny = true
        }
        return hasAny
    }

    /// Takes out what a thread has told.
    mutating func remove(_ events: [(event: GroupEvent, key: Key)]) {
        for (event, key) in events where event != .loaded { counts.countDown(key) }
    }
}
