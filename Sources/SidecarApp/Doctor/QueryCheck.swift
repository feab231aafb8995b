import Postgres

/// Whether the database takes each group's query, and the role may read what it reads.
enum QueryCheck {
    static func findings(_ examination: Examination) -> [Finding] {
        let mistakes = zip(examination.settings.groups, examination.descriptions).compactMap { group, description in
            description.mistake.map { finding($0, of: group, examination) }
        }
        let count = examination.settings.groups.count
        return mistakes.isEmpty
            ? [.ok("the database takes \(count == 1 ? "the query" : "all \(count) queries")")] : mistakes
    }

    private static func finding(
        _ mistake: QueryMistake, of group: Settings.Group, _ examination: Examination
    ) -> Finding {
        let seen = examination.settings.text(of: mistake)
        guard mistake.sqlState == "42501" else { return .fail(seen) }
        let query =
            switch mistake.part {
            case .query, .table: group.sql
            case .batch: group.batch.sql
            }
        let grants = MissingGrants.sql(for: query, refusedWith: mistake.message, over: examination.session)
        return Finding(severity: .fail, seen: seen, remedies: grants.map(Remedy.sql))
    }
}
