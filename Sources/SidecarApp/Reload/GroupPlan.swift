import CacheCore
import Server

/// What becomes of the groups when the settings change. Until it is carried out nobody asks the new ones, and dropping it drops
/// them.
struct GroupPlan {
    /// Those of the new settings, in their order.
    private(set) var groups: [Live.ServingGroup] = []
    /// Those of them that were there and keep what they hold.
    private(set) var kept: [Live.ServingGroup] = []
    /// The names of those that were not there.
    private(set) var new: [String] = []
    /// The names of those that load by another query, or hold their entries in another way, and so begin empty.
    private(set) var changed: [String] = []
    /// Those before that are served no longer.
    private(set) var gone: [Live.ServingGroup] = []

    init(_ settings: Settings, instead old: [Live.ServingGroup], _ parts: GroupParts) throws {
        for group in settings.groups {
            let before = old.first { $0.settings.name == group.name }
            if let before, before.settings.loads(like: group),
                before.served.group.canApply(parts.rules(of: group, in: settings))
            {
                kept.append(parts.keep(before, as: group, of: settings))
                groups.append(kept[kept.count - 1])
                continue
            }
            let made = try parts.make(group, of: settings, replacing: before?.served.group)
            // Until the stream tells of what concerns it.
            if made.served.hearsOfChanges { made.served.group.suspendStoring() }
            groups.append(made)
            if before == nil { new.append(group.name) } else { changed.append(group.name) }
        }
        gone = old.filter { before in !kept.contains { $0.served.group === before.served.group } }
    }

    /// The names of those that have a query of which the database was not asked.
    var unproven: [String] { new + changed }

    /// Whether the getters are others than before.
    var hasOtherGetters: Bool { !unproven.isEmpty || !gone.isEmpty }
}

extension Settings.Group {
    /// Whether what one of them loaded is what the other one would load.
    fileprivate func loads(like other: Settings.Group) -> Bool {
        sql == other.sql && returns == other.returns && batch.sql == other.batch.sql && batch.max == other.batch.max
            && invalidateOn == other.invalidateOn
    }
}
