/// What the server says about one group's query, without having run it.
public struct GroupDescription: Sendable {
    /// One column of the result.
    public struct Column: Sendable, Equatable {
        /// Its name.
        public let name: String
        /// Its type, as PostgreSQL writes it, for example `integer`.
        public let type: String
    }

    /// The group's name.
    public let group: String
    /// The types of the parameters, in their order; empty when there is a mistake.
    public internal(set) var parameters: [String] = []
    /// The columns of the result; empty when there is a mistake.
    public internal(set) var columns: [Column] = []
    /// What the tables of ``QueryGetter/keyedBy`` can tell of keys; nil without such tables, or when there is a mistake.
    var keys: GroupKeys?
    /// Why the query, or its batch, can't work, or a table can't tell of its keys; nil when all can.
    public internal(set) var mistake: QueryMistake?
}
