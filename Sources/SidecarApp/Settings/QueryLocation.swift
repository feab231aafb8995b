/// Where a query's text begins: in a file of its own, or as a value of the settings file.
struct QueryLocation: Sendable, Equatable {
    /// The file, as it is named to the user.
    let file: String
    /// The line of the text's first one, from 1.
    let line: Int
    /// The column of each line's first letter, from 1.
    let column: Int
    /// Whether the text stands there line by line as it is. If not, only its beginning is known.
    let isVerbatim: Bool

    /// A file that holds nothing else.
    init(file: String) {
        self.init(file: file, line: 1, column: 1, isVerbatim: true)
    }

    init(file: String, line: Int, column: Int, isVerbatim: Bool) {
        self.file = file
        self.line = line
        self.column = column
        self.isVerbatim = isVerbatim
    }

    /// Where a line and column of the query stand, as compilers write it: `file:line:column`.
    func text(line: Int?, column: Int?) -> String {
        guard let line, let column, isVerbatim else { return "\(file):\(self.line)" }
        return "\(file):\(self.line + line - 1):\(self.column + column - 1)"
    }
}
