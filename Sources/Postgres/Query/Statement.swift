/// A getter's SQL as it is sent.
struct Statement: Sendable, Equatable {
    /// The user's SQL in what makes PostgreSQL render the JSON.
    let sql: String
    /// Characters that stand before the user's SQL.
    let prefixLength: Int
    /// The user's SQL alone.
    let userSQL: String
    /// Why it can't be a getter's, whatever the database says; nil when it may be. A statement with a mistake is never
    /// sent: a COPY would cost the connection, and with it what others have in flight there.
    let mistake: String?

    private let baseName: String

    /// Wraps `text`. The closing bracket stands on a line of its own, so that a comment at the end cannot swallow it.
    init(of text: QueryText, group: String, returns: QueryGetter.Returns) {
        let prefix: String
        let suffix: String
        switch returns {
        case .row:
            // Two rows tell as well as all of them that there is more than one.
            prefix = "select row_to_json(pgs_row)::text, pgs_row.* from (\n"
            suffix = "\n) pgs_row limit 2"
        case .value:
            prefix = ""
            suffix = ""
        case .rows:
            prefix = "select '[' || string_agg(row_to_json(pgs_row)::text, ',') || ']' from (\n"
            suffix = "\n) pgs_row"
        }
        self.init(text, group: group, prefix: prefix, suffix: suffix)
    }

    /// `text` between two others.
    init(_ text: QueryText, group: String, prefix: String, suffix: String) {
        sql = prefix + text.statement + suffix
        prefixLength = prefix.unicodeScalars.count
        userSQL = text.statement
        mistake = Self.mistake(in: text)
        baseName = Self.name(group: group, sql: sql)
    }

    private static func mistake(in text: QueryText) -> String? {
        if text.statement.isEmpty { return "the SQL is empty" }
        if text.hasSeveralStatements { return "the SQL has several statements, a getter is one" }
        return text.isCopy ? "COPY gives no rows to a getter; write a SELECT" : nil
    }

    /// The prepared statement's name, the same in every process that has the same SQL, so that two sidecars behind one
    /// pooler never meet another's statement under it. A statement that became stale gets a new one with the next
    /// generation.
    func name(generation: UInt64) -> String {
        generation == 1 ? baseName : "\(baseName)_\(generation)"
    }

    /// At most 51 bytes. PostgreSQL compares the first 63, and no connection lives through 10^9 generations.
    private static func name(group: String, sql: String) -> String {
        let safe = group.utf8.prefix(30).map { byte in
            let letter = byte | 0x20
            let isSafe =
                letter >= UInt8(ascii: "a") && letter <= UInt8(ascii: "z")
                || byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
            return isSafe ? byte : UInt8(ascii: "_")
        }
        let hash = String(fnv1a("\(group)\0\(sql)"), radix: 16)
        return "pgs_" + String(decoding: safe, as: UTF8.self) + "_" + hash
    }

    /// FNV-1a, 64 bits (Fowler, Noll, Vo): stable over processes, unlike Swift's own hashing.
    private static func fnv1a(_ text: String) -> UInt64 {
        text.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }

    /// The line and column, both from 1, of a position that the server named in ``sql``; nil when it lies outside the
    /// user's text.
    func userPosition(of position: Int) -> (line: Int, column: Int)? {
        let offset = position - 1 - prefixLength
        let scalars = userSQL.unicodeScalars
        guard offset >= 0, offset <= scalars.count else { return nil }
        let before = scalars.prefix(offset)
        let line = before.reduce(1) { $1 == "\n" ? $0 + 1 : $0 }
        let column = before.reversed().prefix { $0 != "\n" }.count + 1
        return (line, column)
    }
}
