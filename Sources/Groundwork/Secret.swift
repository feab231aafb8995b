/// A text that may hold a credential: it has to be asked for by name, and shows up in no log line, dump or mistake that the
/// settings around it get into.
public struct Secret: Sendable, Equatable, ExpressibleByStringLiteral {
    /// The text itself, for the one who needs it.
    public let exposed: String

    /// Hides `text`.
    public init(_ text: String) {
        exposed = text
    }

    /// Hides a text that the program itself holds.
    public init(stringLiteral text: String) {
        exposed = text
    }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Not the text.
    public var description: String { "..." }
    /// Not the text.
    public var debugDescription: String { "..." }
    /// Nothing to look into.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
