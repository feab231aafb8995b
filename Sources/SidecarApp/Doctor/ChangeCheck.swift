import Invalidation
import Postgres

/// Whether the database is set up to tell of changes, for the groups that depend on tables.
enum ChangeCheck {
    static func findings(_ examination: Examination) throws -> [Finding] {
        let settings = examination.settings
        guard settings.groups.contains(where: { !$0.invalidateOn.isEmpty }) else {
            return [.ok("no group depends on tables: entries go by their times")]
        }
        let findings: [Finding]
        switch settings.invalidation.source {
        case .none: return [.ok("nothing tells of changes: entries go by their times")]
        case .notify: findings = try triggers(examination)
        case .logical: findings = try LogicalCheck.findings(examination)
        }
        return findings.isEmpty
            ? [.ok("the database tells of changes (source: \(settings.invalidation.source))")] : findings
    }

    // MARK: Triggers

    private static func triggers(_ examination: Examination) throws -> [Finding] {
        let standings = try TriggerStanding.all(
            for: examination.settings.groups.flatMap(\.invalidateOn),
            channel: examination.settings.invalidation.channel, in: examination.changesSession)
        return standings.flatMap { standing -> [Finding] in
            var findings = standing.warnings.map { Finding.warn($0) }
            if let mistake = standing.mistake {
                findings.append(.fail(mistake))
            } else if let deafness = standing.deafness {
                findings.append(.fail("\(standing.rule): \(deafness)", examination.installation))
            } else if let difference = standing.differences.first {
                findings.append(.warn("\(standing.rule): \(difference)", examination.installation))
            }
            return findings
        }
    }
}

extension Examination {
    /// What makes what is missing. An owner of the tables has to do it, which the sidecar's role should not be.
    var installation: Remedy {
        .run(
            "pgsidecar sql install --config \(ShellText.quoted(file)) --apply"
                + (ownsAll ? "" : " --database-url \"$OWNER_URL\""))
    }

    private var ownsAll: Bool {
        let rules = settings.groups.flatMap(\.invalidateOn)
        return rules.allSatisfy { rule in
            let rows = try? changesSession.run(
                """
                select from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
                where n.nspname = $1 and c.relname = $2 and pg_catalog.pg_has_role(c.relowner, 'usage')
                """, [rule.table.schema, rule.table.name])
            return rows?.isEmpty == false
        }
    }
}
