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
            .map { Mistake(line: $0.line, column: $0.column, message: Self.shown($0.message)) }
    }

    /// Of a longer message the middle is left out: its end says what would be right.
    private static let longest = 1600

    /// A message quotes what the file has: it is shown without signs that a terminal obeys, and not whole when it is long.
    private static func shown(_ message: String) -> String {
        var text = ""
        let scalars = message.unicodeScalars
        let isLong = scalars.count > longest
        let parts = isLong ? [scalars.prefix(longest / 2), scalars.suffix(longest / 2)] : [scalars[...]]
        for (index, part) in parts.enumerated() {
            if index > 0 { text += " ... " }
            for scalar in part {
                let isObeyed = scalar.properties.generalCategory == .control && scalar != "\n" && scalar != "\t"
                text.unicodeScalars.append(isObeyed ? "?" : scalar)
            }
        }
        return text
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
