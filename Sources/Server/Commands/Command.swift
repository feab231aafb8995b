import RESP

/// One command: what it is called and takes, and how it answers.
protocol Command: SendableMetatype {
    /// In lower case.
    static var name: String { get }
    /// As Redis counts, with the name: so many arguments exactly, or when negative, so many at least.
    static var arity: Int { get }
    /// Where keys stand among the arguments.
    static var keys: KeyPositions { get }
    /// Whether it may be asked before the password was given.
    static var needsNoPassword: Bool { get }
    /// Whether a client that subscribed may ask it in RESP2.
    static var isForSubscribers: Bool { get }
    /// What it is about, for `COMMAND DOCS`.
    static var topic: CommandTopic { get }
    /// One sentence on what it does.
    static var summary: String { get }

    /// Executes one request and appends exactly one reply; (un)subscribing, one for each name. The number of arguments
    /// fits ``arity``.
    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer)
}

extension Command {
    static var keys: KeyPositions { .none }
    static var needsNoPassword: Bool { false }
    static var isForSubscribers: Bool { false }
}

/// Where keys stand among a command's arguments.
enum KeyPositions {
    case none
    case first
    case allFromFirst

    /// Redis' first key, last key and step.
    var positions: (first: Int, last: Int, step: Int) {
        switch self {
        case .none: (0, 0, 0)
        case .first: (1, 1, 1)
        case .allFromFirst: (1, -1, 1)
        }
    }
}

/// Redis' groups of commands.
enum CommandTopic: String {
    case connection
    case generic
    case hash
    case pubsub
    case server
    case string
}
