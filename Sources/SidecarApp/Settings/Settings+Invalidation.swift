import CacheCore
import Invalidation
import Postgres

extension Settings {
    /// The tables that groups depend on, each once.
    var tables: [TableName] {
        var tables: [TableName] = []
        for rule in groups.flatMap(\.invalidateOn) where !tables.contains(rule.table) { tables.append(rule.table) }
        return tables
    }

    /// The rules between groups, the tables that they depend on, and what tells of changes.
    func checkInvalidation(_ reader: inout SettingsReader) {
        if invalidation.source != .none, database.mayReachStandbys {
            reader.note(
                reader.marks["database.url"] != nil ? "database.url" : "invalidation.source",
                "loads may go to several servers, and a standby that lags has rows that the stream made stale already; "
                    + "add 'target_session_attrs=primary' to database.url")
        }
        for group in groups where !group.invalidateOn.isEmpty {
            let path = "groups.\(group.name)"
            // Whoever says so turned it off; who says nothing forgot it.
            if invalidation.source == .none, reader.marks["invalidation.source"] == nil {
                reader.note(
                    "\(path).invalidate_on",
                    "nothing tells of changes; write 'invalidation: { source: notify }' (or logical), or remove the tables"
                )
            }
            if invalidation.source != .none, invalidation.onStreamLoss == .serveUntilTTL,
                group.rules.timeToLive == nil
            {
                let key = reader.marks["\(path).ttl"] != nil ? "\(path).ttl" : path
                reader.note(
                    key,
                    "has no ttl, which 'invalidation.on_stream_loss: serve_until_ttl' needs as the bound; give one")
            }
            for index in group.invalidateOn.indices {
                checkRule(index, of: group, at: "\(path).invalidate_on", &reader)
            }
        }
    }

    private func checkRule(_ index: Int, of group: Group, at path: String, _ reader: inout SettingsReader) {
        let (rule, path) = (group.invalidateOn[index], "\(path)[\(index)]")
        if reader.marks["\(path).table"] == nil {
            reader.note(path, "needs its table; write '{ table: public.NAME, key: [COLUMN] }'")
        } else if group.invalidateOn[..<index].contains(rule) {
            reader.note(path, "stands in the list before; remove one")
        }
        guard reader.marks["\(path).key"] != nil else { return }
        if Set(rule.key).count < rule.key.count {
            reader.note("\(path).key", "names a column twice; each part of the key has a column of its own")
        }
        guard !group.sql.isEmpty, let parts = Wiring.getter(group).keyParts, parts != rule.key.count else { return }
        let wanted = parts == 1 ? "1 parameter" : "\(parts) parameters"
        let found = rule.key.count == 1 ? "1 column" : "\(rule.key.count) columns"
        reader.note(
            "\(path).key",
            "has \(found), and the group's query \(wanted); write one column for each, in their order, "
                + "or no 'key' where any change of the table is to flush the group")
    }

    /// What is said of changes and may be a mistake.
    var invalidationNotes: [String] { streamNotes + verifyNotes }

    private var verifyNotes: [String] {
        let isTold = invalidation.source != .none && groups.contains { !$0.invalidateOn.isEmpty }
        guard verify.rate > 0, !isTold else { return [] }
        return ["verify.rate: no group is told of changes ('invalidate_on'), so there is nothing to compare"]
    }

    private var streamNotes: [String] {
        let listeners = groups.filter { !$0.invalidateOn.isEmpty }.map(\.name)
        switch invalidation.source {
        case .none where !listeners.isEmpty:
            return [
                "invalidation.source: nothing tells of changes, so 'invalidate_on' does nothing "
                    + "(groups: \(listeners.joined(separator: ", ")))"
            ]
        case .notify where listeners.isEmpty, .logical where listeners.isEmpty:
            return ["invalidation.source: no group has 'invalidate_on', so nothing is listened for"]
        case .none, .notify, .logical: return []
        }
    }
}
