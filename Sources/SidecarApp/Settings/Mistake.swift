/// One mistake in a settings file: where it stands, and what would be right.
public struct Mistake: Sendable, Equatable {
    /// The line, from 1; nil when it isn't about a line of the file.
    public var line: Int?
    /// The column, from 1, counted in Unicode scalars.
    public var column: Int?
    /// What is wrong and what would be right, without line and column.
    public var message: String
}

/// Every mistake of a settings file, in the order of its lines.
public struct SettingsError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The settings file, as it was named.
    public var file: String
    /// The mistakes; at least one.
    public var mistakes: [Mistake]

    init(file: String, mistakes: [Mistake]) {
        self.file = file
        self.mistakes = mistakes.sorted { ($0.line ?? 0, $0.column ?? 0) < ($1.line ?? 0, $1.column ?? 0) }
    }

    /// One line a mistake, as compilers write them: `file:line:column: message`.
    public var description: String {
        mistakes.map { mistake in
            let position = [mistake.line, mistake.column].compactMap { $0 }.map { ":\($0)" }.joined()
            return "\(file)\(position): \(mistake.message)"
        }
        .joined(separator: "\n")
    }
}

/// Why a text is not a value of its type; reads on after the quoted text: `'60' needs a unit, such as 60s`.
struct WrongValue: Error {
    let why: String
}
