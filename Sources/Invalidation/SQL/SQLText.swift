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
