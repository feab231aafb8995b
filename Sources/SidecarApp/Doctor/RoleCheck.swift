import Invalidation
import Postgres

/// Whether the role may do more than the sidecar needs: whoever may connect to the socket acts as that role.
enum RoleCheck {
    static func findings(_ examination: Examination) throws -> [Finding] {
        let role = examination.server.role
        let isSuperuser =
            try examination.session.run("select rolsuper from pg_catalog.pg_roles where rolname = current_user")
            .first?.first == "t"
        let written = examination.relations.filter(\.mayBeWritten).map(\.name)
        var findings: [Finding] = []
        if isSuperuser {
            findings.append(finding("\(role) is a superuser, and a sidecar only reads", examination))
        } else if !written.isEmpty {
            findings.append(
                finding("\(role) may change \(written.joined(separator: ", ")), and a sidecar only reads", examination))
        }
        if !examination.settings.database.readOnly {
            findings.append(
                .warn("getters may write, and a load may be sent twice", .set("database.read_only: on")))
        }
        return findings.isEmpty ? [.ok("\(role) may read what the groups read, and change none of it")] : findings
    }

    /// The least that a role of its own needs. What the application's role may do is not touched: it may be the same.
    private static func finding(_ seen: String, _ examination: Examination) -> Finding {
        let name = examination.server.role == "pgsidecar" ? "pgsidecar_reader" : "pgsidecar"
        let isThere =
            (try? examination.session.run("select from pg_catalog.pg_roles where rolname = $1", [name]).isEmpty)
            == false
        let streams = examination.settings.invalidation.source == .logical
        var statements = isThere ? [] : ["CREATE ROLE \(name) LOGIN\(streams ? " REPLICATION" : "");"]
        let readable = examination.relations.filter { !$0.isBehindView }
        for schema in Set(readable.map(\.schema)).sorted() where schema != "public" {
            statements.append("GRANT USAGE ON SCHEMA \(schema) TO \(name);")
        }
        if !readable.isEmpty {
            statements.append("GRANT SELECT ON \(readable.map(\.name).joined(separator: ", ")) TO \(name);")
        }
        let sql = statements.joined(separator: " ")
        return Finding(
            severity: .warn, seen: seen,
            remedies: (sql.isEmpty ? [] : [.sql(sql)]) + [
                .set("database.url: the same with the user \(name), and database.password: its own")
            ])
    }
}
