import CacheCore
import Groundwork

/// Carries out what changes make stale, and what a stream's loss means for the groups that depend on it. On the stream's
/// thread only.
struct ChangeApplier {
    private(set) var map: InvalidationMap
    let onLoss: InvalidationSettings.OnStreamLoss
    /// What was done so far.
    private(set) var counters = ChangeCounters()
    /// The groups, by name, of whose tables the stream does not tell all. They are suspended.
    private var refused: Set<String> = []
    /// The groups that came while the stream told of others already, and those that are refused no longer: they store nothing
    /// before ``admit()``.
    private var waiting: [Group] = []

    init(_ map: InvalidationMap, onLoss: InvalidationSettings.OnStreamLoss) {
        self.map = map
        self.onLoss = onLoss
    }

    /// Has other rules from now on. Groups that were not in the old ones have to be suspended; they stay so until ``admit()`` or
    /// ``resume()``, unless a lost stream would not suspend them either.
    mutating func adopt(_ new: InvalidationMap) {
        let new = (map: new, old: map)
        map = new.map
        waiting.removeAll { group in !map.groups.contains { $0.group === group } }
        for invalidated in map.groups where !new.old.groups.contains(where: { $0.group === invalidated.group }) {
            switch onLoss {
            case .flush: waiting.append(invalidated.group)
            case .serveUntilTTL: invalidated.group.resumeStoring()
            }
        }
    }

    /// The stream tells of all that concerns those that waited for it, unless they are refused.
    mutating func admit() {
        for group in waiting where !refused.contains(group.name) { group.resumeStoring() }
        waiting = []
    }

    /// Applies a change: from now on no older value of what it concerns is served or stored. O(keys), a lock for each.
    mutating func apply(_ change: TableChange) {
        counters.changes += 1
        var (keys, flushes) = (0, 0)
        map.forEachStale(in: change) { invalidated, stale in
            switch stale {
            case .key(let key):
                keys += 1
                switch invalidated.onChange {
                case .reload where invalidated.group.takesReloads:
                    if let flight = invalidated.group.reload(key.span.bytes) { invalidated.group.load(flight) }
                case .drop, .reload: invalidated.group.invalidate(key.span.bytes)
                }
            case .all:
                flushes += 1
                invalidated.group.invalidateAll()
            }
        }
        counters.keys += keys
        counters.flushes += flushes
    }

    /// Something changed, and nobody knows what.
    mutating func applyAll() {
        counters.changes += 1
        counters.flushes += map.groups.count
        for invalidated in map.groups { invalidated.group.invalidateAll() }
    }

    /// Nobody tells of changes from now on: what is in memory may be stale.
    func suspend() {
        switch onLoss {
        case .flush: for invalidated in map.groups { invalidated.group.suspendStoring() }
        case .serveUntilTTL: break
        }
    }

    /// The stream tells of every change from a moment on that is past: what was loaded before goes, and so does what loads
    /// bring that began before.
    mutating func resume() {
        waiting = []
        for invalidated in map.groups where !refused.contains(invalidated.group.name) {
            // Also where storing was not suspended: it flushes, and fences what is under way.
            invalidated.group.resumeStoring()
        }
    }

    /// The stream does not tell all that concerns these groups, from its next ``resume()`` to the one after: they store
    /// nothing, whatever is to happen to the others while it is lost.
    mutating func refuse(_ names: Set<String>) {
        waiting += map.groups.map(\.group).filter { refused.contains($0.name) && !names.contains($0.name) }
        refused = names
        for invalidated in map.groups where names.contains(invalidated.group.name) {
            invalidated.group.suspendStoring()
        }
    }

    /// What a loss means, for the log.
    var consequence: String {
        switch onLoss {
        case .flush: "groups with invalidate_on were flushed and store nothing until it is back"
        case .serveUntilTTL: "groups with invalidate_on serve each entry for its ttl until it is back"
        }
    }
}
