/// SQL that loads many keys of a group as one query.
///
/// It takes one array for each part of a key: `$1` holds the first parts, `$2` the second ones. Its first columns are the
/// key's parts, as many as there are; the others are what the group's own SQL gives for that key:
/// `select aid, abalance from accounts where aid = any($1)`. Keys without a row are missing.
///
/// Which row belongs to which key is PostgreSQL's decision, by the `=` of the columns' types: `007` finds the row of 7.
/// What stays open (more than one row for a key that wants one, a key whose text is refused) is asked for by the group's
/// own SQL, key by key, so answers and errors are the same with and without a batch.
public struct BatchQuery: Sendable, Equatable {
    /// The SQL.
    public var sql: String
    /// Keys in one query at most.
    public var max: Int

    /// Queries of the group under way at most, be they for many keys or for one.
    public var queries: Int

    /// SQL for up to `max` keys, of which up to `queries` run at once.
    public init(sql: String, max: Int = 256, queries: Int = .max) {
        self.sql = sql
        self.max = Swift.max(1, max)
        self.queries = Swift.max(1, queries)
    }
}

/// A batch query as it is sent.
struct BatchStatement: Sendable {
    let statement: Statement
    let max: Int

    /// For keys of `keyParts` parts.
    init(_ query: BatchQuery, group: String, keyParts: Int, returns: QueryGetter.Returns) {
        statement = Statement(ofBatch: QueryText(query.sql), group: group, keyParts: keyParts, returns: returns)
        max = query.max
    }
}

extension Statement {
    /// Wraps a batch query: its rows are brought together with the ordinals of the keys in the arrays.
    ///
    /// The user's SQL stands first, so that it decides of which types the arrays are, and behind a fence (`offset 0`, or the
    /// rows' numbers), lest the join is pushed into it and turns one search for many keys into many searches. Rows that are
    /// no asked key's come, too, without an ordinal: they tell that the batch has another idea of what a key is.
    ///
    /// The JSON has the key's parts in front, and a row's number before them; whoever reads it leaves them out. So what
    /// follows is what `row_to_json` gives, however the row's own key is spelled. The names of these columns are ones that
    /// no column of the user's has: they hold a hash of the SQL.
    init(ofBatch text: QueryText, group: String, keyParts: Int, returns: QueryGetter.Returns) {
        let keys = (1...Swift.max(1, keyParts)).map { Self.name(ofColumn: $0, of: text) }
        let number = Self.name(ofColumn: 0, of: text)
        let arrays = keys.indices.map { "$\($0 + 1)" }.joined(separator: ", ")
        let isSame = keys.map { "pgs_batch.\($0) = pgs_asked.\($0)" }.joined(separator: " and ")
        let names = keys.joined(separator: ", ")
        let join = "left join unnest(\(arrays)) with ordinality pgs_asked(\(names), pgs_ordinal) on \(isSame)"
        let json = "row_to_json(pgs_batch.*)::text"
        let prefix: String
        let suffix: String
        switch returns {
        case .value:
            prefix = "select pgs_asked.pgs_ordinal, pgs_batch.* from (select * from (\n"
            suffix = "\n) pgs_query offset 0) pgs_batch(\(names)) \(join)"
        case .row:
            prefix = "select pgs_asked.pgs_ordinal, \(json), pgs_batch.* from (select * from (\n"
            suffix = "\n) pgs_query offset 0) pgs_batch(\(names)) \(join)"
        case .rows:
            prefix = """
                select pgs_asked.pgs_ordinal, \(json), pgs_batch.\(number) \
                from (select row_number() over (), pgs_query.* from (\n
                """
            suffix = "\n) pgs_query) pgs_batch(\(number), \(names)) \(join) order by pgs_batch.\(number)"
        }
        self.init(text, group: group, prefix: prefix, suffix: suffix)
    }

    /// Tells the different keys among a batch query's rows. Never run: the server refuses it where types of the key's parts
    /// have no equality.
    init(distinctKeysOfBatch text: QueryText, group: String, keyParts: Int) {
        let names = (1...Swift.max(1, keyParts)).map { Self.name(ofColumn: $0, of: text) }.joined(separator: ", ")
        self.init(
            text, group: group, prefix: "select distinct \(names) from (\n", suffix: "\n) pgs_batch(\(names))")
    }

    /// No column of the user's is called so.
    private static func name(ofColumn number: Int, of text: QueryText) -> String {
        "pgs_\(number)_\(String(fnv1a(text.statement), radix: 36))"
    }
}
