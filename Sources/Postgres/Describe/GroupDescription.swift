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
    /// Why the query, or its batch, can't work; nil when both can.
    public internal(set) var mistake: QueryMistake?
}
