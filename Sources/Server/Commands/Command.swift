import RESP

/// One command: what it is called and takes, and how it answers.
protocol Command: SendableMetatype {
    /// In lower case.
    static var name: String { get }
    /// What follows the name, as documentation writes it (``CommandSyntax``); empty: nothing.
    static var syntax: String { get }
    /// Where keys stand among the arguments.
    static var keys: KeyPositions { get }
    /// Whether what it answers of its keys may be kept by the client, so that it is told when that changes.
    static var readsValues: Bool { get }
    /// Whether it may be asked before the password was given.
    static var needsNoPassword: Bool { get }
    /// Whether a client that subscribed may ask it in RESP2.
    static var isForSubscribers: Bool { get }
    /// Whether it may be kept to `admin_users`.
    static var isForAdministrators: Bool { get }
    /// What becomes of it behind `MULTI`.
    static var inTransaction: WithinTransaction { get }
    /// Whether it may be executed again when there is no room to keep its answer: nothing comes of it but that.
    static var isRepeatable: Bool { get }
    /// What it is about.
    static var topic: CommandTopic { get }
    /// One sentence on what it does, for the docs and for `COMMAND DOCS`.
    static var summary: String { get }

    /// Why a request can't be right, as far as that is known before it runs. The number of arguments fits ``syntax``.
    static func mistake(in request: Request) -> String?

    /// Executes one request and appends exactly one reply; (un)subscribing, one for each name. The number of arguments
    /// fits ``syntax``.
    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer)

    /// Executes a request again whose answer was let go.
    static func runAgain(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer)
}

extension Command {
    static var syntax: String { "" }
    static var keys: KeyPositions { .none }
    static var readsValues: Bool { true }
    static var needsNoPassword: Bool { false }
    static var isForSubscribers: Bool { false }
    static var isForAdministrators: Bool { false }
    static var inTransaction: WithinTransaction { .queued }
    static var isRepeatable: Bool { true }

    static func mistake(in request: Request) -> String? { nil }

    static func runAgain(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        run(request, for: client, reply: &reply)
    }
}

/// What becomes of a command between `MULTI` and `EXEC`.
enum WithinTransaction: Sendable {
    /// It is executed by `EXEC`.
    case queued
    /// It is executed at once.
    case executed
    /// It is refused: it has more than one reply.
    case refused
}

/// A command that does nothing by itself but through its subcommands.
protocol ContainerCommand: Command {
    static var subcommands: [Subcommand] { get }
}

/// What a container's first argument may be.
struct Subcommand: Sendable {
    typealias Body = @Sendable (Request, ClientConnection, inout ReplyBuffer) -> Void

    /// In lower case.
    let name: String
    let syntax: CommandSyntax
    let summary: String
    /// Whether it may be kept to `admin_users`.
    let isForAdministrators: Bool
    let run: Body

    /// `syntax` is what follows the subcommand's name.
    init(
        _ name: String, _ syntax: String, _ summary: String, isForAdministrators: Bool = false, _ run: @escaping Body
    ) {
        self.isForAdministrators = isForAdministrators
        self.name = name
        self.syntax = CommandSyntax(syntax, behind: 2)
        self.summary = summary
        self.run = run
    }

    /// One that takes nothing.
    init(_ name: String, _ summary: String, _ run: @escaping Body) {
        self.init(name, "", summary, run)
    }
}

extension ContainerCommand {
    static var syntax: String { "subcommand [argument ...]" }

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        dispatch(request, for: client, reply: &reply)
    }

    /// Runs the subcommand that the request names.
    static func dispatch(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        guard let subcommand = subcommand(of: request) else {
            if let mistake = mistake(in: request) { reply.bytes.appendError(mistake) } else { appendHelp(to: &reply) }
            return
        }
        if subcommand.isForAdministrators, !client.isAdministrator {
            reply.bytes.appendError(ErrorText.onlyForAdministrators("\(name) \(subcommand.name)"))
        } else {
            subcommand.run(request, client, &reply)
        }
    }

    static func mistake(in request: Request) -> String? {
        // One whose first argument may be left out.
        if request.count == 1 || request.word(at: 1) == "help" { return nil }
        guard let subcommand = subcommands.first(where: { $0.name == request.string(at: 1).lowercased() }) else {
            let asked = ErrorText.quoted(request.string(at: 1))
            return "ERR unknown subcommand '\(asked)'. Try \(name.uppercased()) HELP."
        }
        return subcommand.syntax.arity.accepts(request.count)
            ? nil : ErrorText.wrongNumberOfArguments("\(name)|\(subcommand.name)")
    }

    /// What the request names, if it has the right number of arguments.
    private static func subcommand(of request: Request) -> Subcommand? {
        let word = request.string(at: 1).lowercased()
        return subcommands.first { $0.name == word && $0.syntax.arity.accepts(request.count) }
    }

    private static func appendHelp(to reply: inout ReplyBuffer) {
        let asked = "\(name.uppercased()) <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
        let lines =
            [asked]
            + subcommands.flatMap { [$0.syntax.line(after: $0.name), "    \($0.summary.filter { $0 != "`" })"] }
        reply.bytes.appendArrayHeader(lines.count + 2)
        for line in lines + ["HELP", "    Print this help."] { reply.bytes.appendStatus(line) }
    }
}

/// Where keys stand among a command's arguments.
enum KeyPositions {
    case none
    case first
    case allFromFirst
    case allButLastTwo
    /// Behind the subcommand.
    case second

    /// Redis' first key, last key and step.
    var positions: (first: Int, last: Int, step: Int) {
        switch self {
        case .none: (0, 0, 0)
        case .first: (1, 1, 1)
        case .allFromFirst: (1, -1, 1)
        case .allButLastTwo: (1, -3, 1)
        case .second: (2, 2, 1)
        }
    }
}

/// Redis' groups of commands; what Redis does not have it calls a module's.
enum CommandTopic: String, CaseIterable {
    case string
    case hash
    case generic
    case connection
    case transactions
    case pubsub
    case server
    case own = "module"
}
