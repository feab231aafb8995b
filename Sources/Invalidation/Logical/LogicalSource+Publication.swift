import CacheCore
import Postgres

/// What the publication says of the tables.
extension LogicalSource {
    /// Asks how the publication stands, and tells of what changed: what is defined anew is in no stream.
    func check(_ whenGood: @escaping () -> Void) {
        isChecking = true
        let tables = Array(map.tables)
        ask(gateway, PublicationSQL.check(settings.publication, tables)) { [self] rows in
            isChecking = false
            defer { if isCheckDue, gateway != nil { checkAgain() } }
            let found = PublicationStanding(rows, tables: tables)
            guard found.actions != nil else {
                return lose(
                    "there is no publication \(SQLName.quoted(settings.publication)); make it by: pgsidecar sql install --apply"
                )
            }
            let refused = refused(by: found)
            var isAsBefore = false
            if let before = standing {
                // What a transaction did before its table was published, or while it was not, is in no stream, whenever it
                // commits: a new slot waits for those.
                guard refused == self.refused(by: before), found.membership == before.membership else {
                    return lose("the publication or its tables were changed")
                }
                let changed = found.changed(since: before)
                isAsBefore = changed.isEmpty
                for table in changed {
                    owner?.changed(TableChange(table: table, what: .all))
                    guard gateway != nil else { return }
                }
            } else {
                owner?.refused(refused)
            }
            standing = found
            let reached = gate.released
            owner?.lags(
                by: found.position > reached && reached > .none ? found.position.bytes - reached.bytes : 0,
                holding: gate.count)
            if isAsBefore { whenGood() } else { readForms(found, whenGood) }
        }
    }

    /// Looks again, from now.
    func checkAgain() {
        isCheckDue = isChecking
        if !isChecking { check {} }
    }

    /// Asks how the tables' columns are written as keys.
    private func readForms(_ standing: PublicationStanding, _ whenGood: @escaping () -> Void) {
        guard !standing.tables.isEmpty else { return whenGood() }
        ask(gateway, PublicationSQL.uncompiled + PublicationSQL.columnTypes(standing.tables)) { [self] rows in
            gatherer.use(standing.forms(rows))
            whenGood()
        }
    }

    /// The groups whose rules can't be followed, and why.
    private func refused(by standing: PublicationStanding) -> [String: String] {
        var refused: [String: String] = [:]
        for group in map.groups {
            let tables = group.rules.map(\.table)
            for rule in group.rules {
                let mistake = standing.mistake(in: rule.table, by: rule.key, of: settings.publication, followed: tables)
                if let mistake, refused[group.group.name] == nil { refused[group.group.name] = mistake.description }
            }
        }
        return refused
    }
}
