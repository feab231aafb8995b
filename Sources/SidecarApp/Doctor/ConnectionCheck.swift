import Invalidation
import Postgres

/// Whether the server lets in as many connections as this sidecar makes, beside all that are there.
enum ConnectionCheck {
    /// Hundredths of a limit that may be taken before there is a warning.
    private static let ample = 90

    static func findings(_ examination: Examination) throws -> [Finding] {
        guard examination.pooling == .none else {
            return [.ok("the pooler's pool has to suffice; the server's limits are for that")]
        }
        let owners = nameOwners(examination.settings.database)
        let lasting = ConnectionPurpose.allCases.filter { !momentary.contains($0) }
        let row =
            try examination.session.run(
                limits, [names(owners, lasting), names(owners, momentary)]
            ).first ?? []
        let numbers = row.map { $0.flatMap { Int($0) } ?? 0 }
        guard numbers.count == 8 else { return [.warn("the server does not tell its limits")] }
        // systemd may be the one who listens, with no sidecar behind it yet.
        let isThere = examination.isServing && numbers[2] > 0
        let needed = isThere ? 0 : connections(examination.settings)
        let scopes = [
            Scope("the server", limit: numbers[0] - numbers[1], taken: numbers[3]) { limit in
                "ALTER SYSTEM SET max_connections = \(limit + numbers[1]); -- then restart the server"
            },
            Scope("the database", limit: numbers[4], taken: numbers[5]) { limit in
                "ALTER DATABASE \(examination.server.quotedDatabase) CONNECTION LIMIT \(limit);"
            },
            Scope("the role", limit: numbers[6], taken: numbers[7]) { limit in
                "ALTER ROLE \(examination.server.quotedRole) CONNECTION LIMIT \(limit);"
            },
        ]
        let sidecars = "all sidecars have \(numbers[2])"
        let found = scopes.compactMap { $0.finding(needed: needed, sidecars) }
        if !found.isEmpty { return found }
        return [.ok("\(scopes[0].text(needed)); \(sidecars)")]
    }

    /// Loads, describing, and what the stream and the verifier take. What streams the log is not counted by the server.
    private static func connections(_ settings: Settings) -> Int {
        let stream =
            switch settings.invalidation.source {
            case .none: 0
            case .notify: 2
            case .logical: 1
            }
        return Wiring.connections(settings) + 1 + stream + (settings.verify.rate > 0 ? 1 : 0)
    }

    /// Connections that come and go, such as this program's own.
    private static let momentary: [ConnectionPurpose] = [.describe, .doctor, .sql]

    /// What names of sidecars' connections begin with: our own, and that of one that was given no other.
    private static func nameOwners(_ database: DatabaseSettings) -> [String] {
        guard let own = database.applicationName, !own.isEmpty, own != "pgsidecar" else { return ["pgsidecar"] }
        return ["pgsidecar", own]
    }

    /// The names of connections, as an array in SQL.
    private static func names(_ owners: [String], _ purposes: [ConnectionPurpose]) -> String {
        let names = owners.flatMap { owner in purposes.map { $0.applicationName(behind: owner) } }
        let quoted = names.map { "\"\($0.replacing("\\", with: "\\\\").replacing("\"", with: "\\\""))\"" }
        return "{\(quoted.joined(separator: ","))}"
    }

    /// The server's limit and what of it is not for us, sessions of sidecars, all sessions; the database's limit and its sessions;
    /// the role's. -1 is no limit. Who may not see others' sessions sees their users and names at least.
    private static let limits = """
        with session as (
            select * from pg_catalog.pg_stat_activity
            where datid is not null and usesysid is not null and pid <> pg_catalog.pg_backend_pid()
                and application_name <> all ($2::text[]))
        select pg_catalog.current_setting('max_connections'), case when r.rolsuper then 0 else
                pg_catalog.current_setting('superuser_reserved_connections')::int
                + coalesce(pg_catalog.current_setting('reserved_connections', true), '0')::int end,
            (select count(*) from session where application_name = any ($1::text[])),
            (select count(*) from session),
            d.datconnlimit, (select count(*) from session s where s.datid = d.oid),
            case when r.rolsuper then -1 else r.rolconnlimit end, (select count(*) from session s where s.usesysid = r.oid)
        from pg_catalog.pg_roles r, pg_catalog.pg_database d
        where r.rolname = current_user and d.datname = pg_catalog.current_database()
        """

    /// What counts connections.
    private struct Scope {
        let name: String
        let limit: Int
        let taken: Int
        let raise: (Int) -> String

        init(_ name: String, limit: Int, taken: Int, raise: @escaping (Int) -> String) {
            (self.name, self.limit, self.taken, self.raise) = (name, limit, taken, raise)
        }

        func text(_ needed: Int) -> String {
            "\(name) takes \(limit) and has \(taken)" + (needed > 0 ? "; this sidecar makes \(needed)" : "")
        }

        /// Nil when there is room.
        func finding(needed: Int, _ sidecars: String) -> Finding? {
            guard limit >= 0, (taken + needed) * 100 > limit * ConnectionCheck.ample else { return nil }
            let severity = taken + needed > limit ? Finding.Severity.fail : .warn
            return Finding(
                severity: severity, seen: "\(text(needed)); \(sidecars)",
                remedies: [.sql(raise((taken + needed) * 2))])
        }
    }
}
