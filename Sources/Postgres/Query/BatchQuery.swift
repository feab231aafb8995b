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
    let queries: Int
    /// The highest n of the parameters `$n` in the user's SQL.
    let parameterCount: Int

    /// For keys of `keyParts` parts.
    init(_ query: BatchQuery, group: String, keyParts: Int, returns: QueryGetter.Returns) {
        let text = QueryText(query.sql)
        statement = Statement(ofBatch: text, group: group, keyParts: keyParts, returns: returns)
        max = query.max
        queries = query.queries
        parameterCount = text.parameterCount
    }
}

extension Statement {
    /// Wraps a batch query: its rows are brought together with the places of the keys in the arrays.
    ///
    /// The user's SQL stands first, so that it decides of which types the arrays are, and behind a fence (`offset 0`), lest
    /// the join is pushed into it and turns one search for many keys into many searches.
    init(ofBatch text: QueryText, group: String, keyParts: Int, returns: QueryGetter.Returns) {
        let numbers = Array(1...Swift.max(1, keyParts))
        let keys = numbers.map { "pgs_key\($0)" }.joined(separator: ", ")
        let arrays = numbers.map { "$\($0)" }.joined(separator: ", ")
        // The object without its first members: what stands behind an object that has only those.
        let json = """
            '{' || substr(row_to_json(pgs_batch)::text, \
            length((select row_to_json(pgs_keys)::text from (select \(keys)) pgs_keys)) + 1)
            """
        let columns =
            switch returns {
            case .value: "select pgs_place, pgs_value"
            case .row: "select pgs_place, \(json), pgs_batch.*"
            // Equal keys in other words (7 and 007) could each bring the rows of both.
            case .rows:
                """
                select pgs_place, '[' || string_agg(pgs_json, ',' order by pgs_row) || ']', pgs_equals \
                from (select row_number() over () as pgs_row, \(json) as pgs_json, \(keys)
                """
            }
        let asked = "unnest(\(arrays)) with ordinality pgs_asked(\(keys), pgs_place)"
        let join =
            switch returns {
            case .value, .row: "join \(asked) using (\(keys))"
            case .rows:
                """
                ) pgs_rows join (select *, count(*) over (partition by \(keys)) as pgs_equals from \(asked)) \
                pgs_asked using (\(keys)) group by pgs_place, pgs_equals
                """
            }
        self.init(
            text, group: group, prefix: "\(columns) from (select * from (\n",
            suffix: "\n) pgs_query offset 0) pgs_batch(\(keys)\(returns == .value ? ", pgs_value" : "")) \(join)")
    }
}
