/// Constants in SQL.
enum SQLText {
    /// A string constant that means the same whatever the session's `standard_conforming_strings` is.
    static func literal(_ text: String) -> String {
        var written = text.contains("\\") ? "E'" : "'"
        for scalar in text.unicodeScalars {
            if scalar == "'" || scalar == "\\" { written.unicodeScalars.append(scalar) }
            written.unicodeScalars.append(scalar)
        }
        return written + "'"
    }

    /// The condition that a row of `pg_inherits`, called `name`, stands for a partition that queries of its parent still see: not
    /// while it waits to be detached concurrently, which servers before 14 don't know.
    static func isAttached(_ name: String) -> String {
        "pg_catalog.to_jsonb(\(name)) ->> 'inhdetachpending' is distinct from 'true'"
    }

    /// The text between dollar signs.
    static func dollarQuoted(_ text: String) -> String {
        var tag = "$pgsidecar$"
        var number = 0
        while text.contains(tag) {
            number += 1
            tag = "$pgsidecar\(number)$"
        }
        return tag + text + tag
    }
}
