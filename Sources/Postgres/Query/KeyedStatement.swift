/// A statement whose parameters are the parts of a group's key, for ``SQLSession``.
package struct KeyedStatement: Sendable {
    /// The statement.
    package let sql: String
    /// The number of its parameters: of the key's parts it takes the first ones.
    package let parameterCount: Int
    private let keyParts: Int

    /// Any statement, for keys of so many parts.
    package init(_ sql: String, keyParts: Int) {
        self.sql = sql
        self.keyParts = keyParts
        parameterCount = QueryText(sql).parameterCount
    }

    /// A group's query.
    package init(_ query: GetterQuery) {
        (sql, keyParts, parameterCount) = (query.sql, query.keyParts, query.keyParts)
    }

    /// The parameters for a key, which has no group's name before it. The last part has what is left.
    package func parameters(of key: String) -> [String] {
        guard keyParts > 0 else { return [] }
        let parts = key.split(separator: ":", maxSplits: keyParts - 1, omittingEmptySubsequences: false)
        return parts.prefix(parameterCount).map { String($0) }
    }
}
