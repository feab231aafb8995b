/// What a stream says of one table.
public struct TableChange: Sendable, Equatable {
    /// What changed.
    public enum What: Sendable, Equatable {
        /// Rows came, went or were changed; one whose key was changed brings the old key and the new one. Without columns, all
        /// that is known is that rows changed.
        ///
        /// It is for those who know a row by some or all of the keys' columns. Others hear of the same rows by a change of their
        /// own.
        case rows(KeyTexts)
        /// Any row may have changed.
        case all
    }

    /// The table.
    public var table: TableName
    /// What changed.
    public var what: What

    /// A change of `table`.
    public init(table: TableName, what: What) {
        self.table = table
        self.what = what
    }
}
