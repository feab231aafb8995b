import Invalidation
import Postgres

/// Whether the write-ahead log can be decoded, and tells what the groups need.
enum LogicalCheck {
    static func findings(_ examination: Examination) throws -> [Finding] {
        try server(examination) + publication(examination)
    }

    // MARK: The server and the role

    private static func server(_ examination: Examination) throws -> [Finding] {
        let row =
            try examination.changesSession.run(
                """
                select pg_catalog.current_setting('wal_level'), r.rolreplication or r.rolsuper,
                    pg_catalog.quote_ident(r.rolname), pg_catalog.current_setting('max_replication_slots'),
                    (select count(*) from pg_catalog.pg_replication_slots),
                    pg_catalog.current_setting('max_wal_senders'), (select count(*) from pg_catalog.pg_stat_replication)
                from pg_catalog.pg_roles r where r.rolname = current_user
                """
            ).first ?? []
        guard row.count == 7 else { return [.warn("the server does not tell its settings")] }
        var findings: [Finding] = []
        if row[0] != "logical" {
            findings.append(
                .fail(
                    "wal_level is \(row[0] ?? "?"), so the log can't be decoded",
                    .sql("ALTER SYSTEM SET wal_level = logical; -- then restart the server")))
        }
        if row[1] != "t" {
            let role = row[2] ?? "ROLE"
            findings.append(
                .fail("\(role) may not read the log: it lacks REPLICATION", .sql("ALTER ROLE \(role) REPLICATION;")))
        }
        guard !examination.isServing else { return findings }
        for (name, limit, taken) in [("max_replication_slots", row[3], row[4]), ("max_wal_senders", row[5], row[6])] {
            guard let limit = limit.flatMap({ Int($0) }), let taken = taken.flatMap({ Int($0) }), taken >= limit
            else { continue }
            findings.append(
                .fail(
                    "\(name) is \(limit), and all are taken",
                    .sql("ALTER SYSTEM SET \(name) = \(limit + 10); -- then restart the server")))
        }
        return findings
    }

    // MARK: The tables

    private static func publication(_ examination: Examination) throws -> [Finding] {
        let settings = examination.settings
        let name = settings.invalidation.publication
        let tables = settings.tables
        let standing = PublicationStanding(
            try examination.changesSession.run(PublicationSQL.check(name, tables)), tables: tables)
        guard standing.isThere else { return unpublished(standing, name, examination) }
        let mistakes = settings.groups.flatMap { group in
            let followed = group.invalidateOn.map(\.table)
            return group.invalidateOn.compactMap {
                standing.mistake(in: $0.table, by: $0.key, of: name, followed: followed)
            }
        }
        return mistakes.uniqued(by: \.description).map { mistake in
            Finding(
                severity: .fail, seen: "\(mistake.table) \(mistake.why)",
                remedies: mistake.remedy.map { [.sql($0 + ";")] } ?? [])
        }
    }

    /// Tables whose rows can't be told are mended first: published, their users' own updates would be refused.
    private static func unpublished(
        _ standing: PublicationStanding, _ name: String, _ examination: Examination
    ) -> [Finding] {
        let mistakes = examination.settings.groups.flatMap(\.invalidateOn)
            .compactMap { standing.identityMistake(in: $0.table, by: $0.key) }.uniqued(by: \.description)
        let remedies = mistakes.compactMap(\.remedy).map { Remedy.sql($0 + ";") }
        let details = mistakes.map { "; \($0.table) \($0.why)" }.joined()
        return [
            Finding(
                severity: .fail, seen: "there is no publication \(SQLName.written(name))\(details)",
                remedies: remedies + [examination.installation])
        ]
    }
}
