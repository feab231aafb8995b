import Invalidation
import Postgres

/// What stands between the sidecar and the server, and what that can't do.
enum PoolerCheck {
    static func findings(_ examination: Examination) -> [Finding] {
        let settings = examination.settings
        switch examination.pooling {
        case .none: return [.ok("none is in the way: each connection is a session of the server")]
        case .session: return [.ok("a pooler keeps a session of the server for each connection")]
        case .transaction(let keepsPreparedStatements):
            var findings: [Finding] = []
            if !keepsPreparedStatements, settings.database.prepare {
                findings.append(
                    .warn(
                        "a pooler gives each transaction another session, in which prepared statements are not there",
                        .set("database.prepare: off")))
            }
            if settings.invalidation.source != .none, settings.invalidation.url == nil {
                findings.append(
                    .fail(
                        "the stream of changes can't go through a pooler that gives each transaction another session",
                        .set("invalidation.url: the URL of the server itself")))
            }
            return findings.isEmpty
                ? [.ok("a pooler gives each transaction a session, which these settings suit")] : findings
        }
    }
}
