import CacheCore
import Invalidation
import Postgres
import Server

/// What groups are made of.
struct GroupParts {
    let cache: Cache
    let breaker: CircuitBreaker
    let loadLog: LoadLog
    /// The number of loops that ask them.
    let loops: Int

    /// A group as the settings say, with a getter of its own; `old` is the one whose place it is to take.
    func make(
        _ group: Settings.Group, of settings: Settings, replacing old: Group? = nil
    ) throws -> Live.ServingGroup {
        let getter = Wiring.getter(group, isTold: settings.invalidation.source != .none)
        let made = try Group(
            group.name, settings: rules(of: group, in: settings), in: cache, replacing: old, breaker: breaker,
            onLoad: loadLog.observer(of: group.name), getter: getter)
        return serving(made, getter, group, settings)
    }

    /// A group that is there, under other settings that concern neither its query nor what it holds.
    func keep(_ old: Live.ServingGroup, as group: Settings.Group, of settings: Settings) -> Live.ServingGroup {
        serving(old.served.group, old.getter, group, settings)
    }

    private func serving(
        _ made: Group, _ getter: QueryGetter, _ group: Settings.Group, _ settings: Settings
    ) -> Live.ServingGroup {
        let hearsOfChanges = settings.invalidation.source != .none && !group.invalidateOn.isEmpty
        return Live.ServingGroup(
            settings: group, getter: getter,
            served: ServedGroup(made, shape: shape(group.returns), hearsOfChanges: hearsOfChanges))
    }

    /// The rules of a group.
    func rules(of group: Settings.Group, in settings: Settings) -> GroupSettings {
        var rules = group.rules
        // `max_loads` bounds what the database is asked at once, and a batch is one query: its getter sees to that, and
        // here so many loads are let through as may be in them.
        rules.maxLoads *= group.batch.sql.isEmpty ? 1 : group.batch.max
        let memory = min(rules.memory, settings.memory / max(1, settings.groups.count))
        rules.shards = Wiring.shards(for: memory, loops: loops)
        return rules
    }

    private func shape(_ returns: QueryGetter.Returns) -> ServedGroup.Shape {
        switch returns {
        case .row: .row
        case .value: .value
        case .rows: .rows
        }
    }
}
