/// What a database connection is for, as its `application_name` says in `pg_stat_activity` and in the server's log.
package enum ConnectionPurpose: String, Sendable, CaseIterable {
    /// Loads of the groups.
    case load
    /// Having the groups' queries described.
    case describe
    /// Notifications.
    case listen
    /// The logical replication stream.
    case replication
    /// Asking what loads see.
    case gate
    /// Comparing what is served with what is in the database.
    case verify
    /// Triggers and publications: the `sql` commands.
    case sql
    /// Looking at how everything stands: the `doctor` command.
    case doctor

    /// The name of one whose user chose none: `pgsidecar load`.
    var applicationName: String { applicationName(behind: "pgsidecar") }

    /// The name of one whose user chose `name`: `billing load`. PostgreSQL keeps 63 bytes of a name, and the purpose stands at
    /// its end, so a long name is cut before it.
    package func applicationName(behind name: String) -> String {
        var kept = Substring(name)
        while kept.utf8.count + 1 + rawValue.utf8.count > 63 { kept.removeLast() }
        return "\(kept) \(rawValue)"
    }
}
