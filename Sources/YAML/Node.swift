/// A value in a YAML text, with where it begins.
public enum Node: Sendable {
    /// One text.
    case scalar(Scalar)
    /// Values in their order.
    case sequence([Node], Mark)
    /// Keys and values, in the text's order; no two keys that are scalars are the same.
    case mapping([(key: Node, value: Node)], Mark)

    /// Where it begins.
    public var mark: Mark {
        switch self {
        case .scalar(let scalar): scalar.mark
        case .sequence(_, let mark): mark
        case .mapping(_, let mark): mark
        }
    }
}

/// One text, and how it was written.
public struct Scalar: Sendable {
    /// How a scalar is written.
    public enum Style: Sendable {
        /// Without quotes.
        case plain
        /// In quotes of either kind.
        case quoted
        /// After `|`: line by line as it stands.
        case literal
        /// After `>`: lines are joined.
        case folded
    }

    /// What it says.
    public let string: String
    /// How it is written.
    public let style: Style
    /// Where it begins: its quote or its `|` or `>`, if it has one.
    public let mark: Mark
}

/// A line and a column in a text.
public struct Mark: Sendable, Equatable {
    /// The line, from 1.
    public let line: Int
    /// The column, from 1, counted in Unicode scalars.
    public let column: Int
}

/// Why a text is not a YAML document, or not one that has a single meaning.
public struct YAMLError: Error, Sendable {
    /// What is wrong.
    public let problem: String
    /// Where; nil when the text could not be read at all.
    public let mark: Mark?
}
