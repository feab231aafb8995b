/// A group's query as it is asked without a sidecar, for comparisons.
package struct GetterQuery: Sendable {
    /// What comes back.
    package enum Form: Sendable {
        /// The user's columns.
        case plain
        /// What the sidecar has the server make of them: the JSON of a row, a value, the JSON of all rows.
        case rendered
    }

    /// What stands in every query of a getter as `pg_stat_statements` shows it, as a regular expression of PostgreSQL's.
    package static let mark = "pgs_(row|query)"

    /// The number of the key's parts.
    package let keyParts: Int
    let name: String
    let sql: String
    /// Whether null is the same as no row.
    let isValue: Bool

    /// The query of the group `group`.
    package init(_ sql: String, group: String, returns: QueryGetter.Returns, form: Form) {
        let text = QueryText(sql)
        let statement =
            switch form {
            // A comment, so that it is found among others' statements.
            case .plain: Statement(text, group: group, suffix: "\n-- pgs_row: asked without pgsidecar")
            case .rendered: Statement(of: text, group: group, returns: returns)
            }
        keyParts = text.parameterCount
        name = statement.name(generation: 1)
        self.sql = statement.sql
        isValue = returns == .value
    }
}
