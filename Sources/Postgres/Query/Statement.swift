/// A getter's SQL as it is sent.
struct Statement: Sendable {
    /// Why SQL can't be a getter's, whatever the database says.
    struct Mistake: Sendable, Equatable {
        let message: String
        let position: QueryText.Position?
    }

    /// The user's SQL in what makes PostgreSQL render the JSON.
    let sql: String
    /// The user's SQL alone.
    let text: QueryText
    /// Nil when it may be sent. A statement with a mistake never is: a COPY would cost the connection, and with it what
    /// others have in flight there.
    let mistake: Mistake?

    /// Characters that stand before the user's SQL.
    private let prefixLength: Int
    private let baseName: String

    /// Wraps `text`. The closing bracket stands on a line of its own, so that a comment at the end cannot swallow it.
    ///
    /// Being in brackets also keeps it from writing: PostgreSQL takes nothing but a query there. `pgs_row.*` is the row even
    /// where a column is called `pgs_row`.
    init(of text: QueryText, group: String, returns: QueryGetter.Returns) {
        let prefix: String
        let suffix: String
        switch returns {
        case .row:
            // Two rows tell as well as all of them that there is more than one.
            prefix = "select row_to_json(pgs_row.*)::text, pgs_row.* from (\n"
            suffix = "\n) pgs_row limit 2"
        case .value:
            prefix = "select pgs_row.* from (\n"
            suffix = "\n) pgs_row limit 2"
        case .rows:
            prefix = "select '[' || coalesce(string_agg(row_to_json(pgs_row.*)::text, ','), '') || ']' from (\n"
            suffix = "\n) pgs_row"
        }
        self.init(text, group: group, prefix: prefix, suffix: suffix)
    }

    /// `text` between two others.
    init(_ text: QueryText, group: String, prefix: String = "", suffix: String = "") {
        sql = prefix + text.statement + suffix
        prefixLength = prefix.unicodeScalars.count
        self.text = text
        mistake = Mistake(in: text)
        baseName = Self.name(group: group, sql: sql)
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
    static func fnv1a(_ text: String) -> UInt64 {
        text.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }

    /// Where in the user's text a position lies that the server named in ``sql``; nil when it lies outside.
    func userPosition(of position: Int) -> QueryText.Position? {
        let offset = position - 1 - prefixLength
        let scalars = text.statement.unicodeScalars
        guard offset >= 0, offset <= scalars.count else { return nil }
        return QueryText.position(behind: scalars.prefix(offset))
    }
}

extension Statement.Mistake {
    /// What a query can begin with.
    private static let queries: Set = ["select", "with", "values", "table"]
    /// What else users try. Other words are not repeated, since clients read the message, too.
    private static let otherStatements: Set = [
        "alter", "analyze", "begin", "call", "cluster", "commit", "create", "deallocate", "declare", "delete",
        "discard",
        "do", "drop", "end", "execute", "explain", "fetch", "grant", "insert", "listen", "lock", "merge", "notify",
        "prepare",
        "refresh", "reindex", "reset", "revoke", "rollback", "savepoint", "set", "show", "start", "truncate",
        "unlisten",
        "update", "vacuum",
    ]

    fileprivate init?(in text: QueryText) {
        if text.statement.isEmpty {
            self.init(message: "the SQL is empty", position: nil)
        } else if let second = text.secondStatement {
            self.init(message: "the SQL has several statements, a getter is one", position: second)
        } else if text.firstWord.isEmpty || Self.queries.contains(text.firstWord) {
            return nil
        } else if text.firstWord == "copy" {
            self.init(message: "COPY gives no rows to a getter; write a SELECT", position: text.firstPosition)
        } else {
            let isKnown = Self.otherStatements.contains(text.firstWord)
            self.init(
                message: "a getter only reads; write a SELECT"
                    + (isKnown ? ", not \(text.firstWord.uppercased())" : ""),
                position: text.firstPosition)
        }
    }
}
