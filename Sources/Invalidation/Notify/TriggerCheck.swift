import CacheCore
import Postgres

/// What the catalog says of the triggers that groups depend on.
struct TriggerCheck: Sendable, Equatable {
    /// The groups of whose tables not all changes are told, by name, and why.
    var refused: [String: String] = [:]
    /// Partitions and children whose own statements are not heard of.
    var unheard: [TableName] = []
    /// By table, what changes with all of it that no trigger tells.
    private var prints: [TableName: String] = [:]

    /// Asks how the triggers for `groups` stand. Blocks, so it is for threads of its own.
    init(of groups: [InvalidatedGroup], channel: String, in session: SQLSession) throws(SQLFailure) {
        let standings = try TriggerStanding.all(for: groups.flatMap(\.rules), channel: channel, in: session)
        for group in groups {
            for rule in group.rules {
                let telling = standings.filter {
                    $0.rule.table == rule.table && (rule.key.isEmpty || $0.rule.key.sorted() == rule.key.sorted())
                }
                guard let deaf = telling.first(where: { $0.deafness != nil }), let why = deaf.deafness else { continue }
                refused[group.group.name] = "\(why); mend it by: pgsidecar sql install --apply"
            }
        }
        for standing in standings {
            prints[standing.rule.table, default: ""] += standing.print
            for table in standing.unheard where !unheard.contains(table) { unheard.append(table) }
        }
    }

    /// The tables that were changed since `old` in a way that no trigger tells: by a migration, or while triggers were disabled.
    func changed(since old: TriggerCheck) -> [TableName] {
        prints.compactMap { table, print in old.prints[table] == print ? nil : table }
    }
}
