import Postgres

/// What the server says when it refuses a stream, with what helps.
enum StreamRefusal {
    static func text(_ failure: SQLFailure) -> String {
        let state = failure.state.isEmpty ? "" : " [SQLSTATE \(failure.state)]"
        return failure.message + state + hint(failure.message, failure.state)
    }

    /// For what libpq says of an attempt to connect, which has no code. The words in it that are looked for are settings and
    /// PostgreSQL's names of parts, which no language translates.
    static func text(_ words: String) -> String { words + hint(words, "") }

    private static func hint(_ words: String, _ state: String) -> String {
        if words.contains("max_replication_slots") || state == "53400" {
            return "; all replication slots are in use: raise max_replication_slots, or drop unused ones"
        }
        if words.contains("max_wal_senders") {
            return "; all WAL senders are in use: raise max_wal_senders"
        }
        if words.contains("wal_level") {
            return "; set wal_level = logical in postgresql.conf and restart the server, or use source: notify"
        }
        if words.contains("walsender") || state == "42501" {
            return "; the role needs: ALTER ROLE ... REPLICATION"
        }
        if words.contains("unsupported startup parameter") {
            return "; a pooler can't carry a replication stream: set invalidation.url to the server itself"
        }
        switch state {
        case "42704": return "; make the publication by: pgsidecar sql install --apply"
        case "55000": return "; a slot that fell too far behind is invalidated: see max_slot_wal_keep_size"
        case _: return ""
        }
    }
}
