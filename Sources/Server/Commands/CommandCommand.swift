import RESP

/// `COMMAND [COUNT|LIST|INFO|DOCS|GETKEYS]`: tells about commands.
enum CommandCommand: Command {
    static let name = "command"
    static let arity = -1
    static let topic = CommandTopic.server
    static let summary = "Tells about commands."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        guard request.count > 1 else {
            appendInformation(on: CommandTable.served, to: &reply, client.version)
            return
        }
        let subcommand = request.word(at: 1)
        if subcommand == "count" {
            reply.bytes.appendInteger(CommandTable.served.count)
        } else if subcommand == "list" {
            reply.bytes.appendArrayHeader(CommandTable.served.count)
            for command in CommandTable.served { reply.bytes.appendBulk(command.name) }
        } else if subcommand == "info" {
            appendInformation(on: named(request), to: &reply, client.version)
        } else if subcommand == "docs" {
            appendDocumentation(on: named(request).compactMap { $0 }, to: &reply, client.version)
        } else if subcommand == "getkeys", request.count > 2 {
            appendKeys(of: request, to: &reply)
        } else {
            reply.bytes.appendError("ERR unknown subcommand or wrong number of arguments for 'command'")
        }
    }

    /// Those that are named behind the subcommand, nil for one that is not served; all when none is named.
    private static func named(_ request: Request) -> [(any Command.Type)?] {
        guard request.count > 2 else { return CommandTable.served }
        var commands: [(any Command.Type)?] = []
        for index in 2..<request.count { commands.append(served(request[index])) }
        return commands
    }

    private static func served(_ name: RawSpan) -> (any Command.Type)? {
        guard let command = CommandTable.standard.command(named: name)?.type else { return nil }
        return CommandTable.served.first { $0 == command }
    }

    /// Redis' ten elements: name, arity, flags, first key, last key, step, categories, tips, key specifications,
    /// subcommands.
    private static func appendInformation(
        on commands: [(any Command.Type)?], to reply: inout ReplyBuffer, _ version: ProtocolVersion
    ) {
        reply.bytes.appendArrayHeader(commands.count)
        for command in commands {
            guard let command else {
                reply.bytes.appendNullArray(version)
                continue
            }
            reply.bytes.appendArrayHeader(10)
            reply.bytes.appendBulk(command.name)
            reply.bytes.appendInteger(command.arity)
            let flags =
                [command.topic == .pubsub ? "pubsub" : "readonly", "fast"]
                + (command.needsNoPassword ? ["no_auth"] : [])
            reply.bytes.appendSetHeader(flags.count, version)
            for flag in flags { reply.bytes.appendBulk(flag) }
            let (first, last, step) = command.keys.positions
            for position in [first, last, step] { reply.bytes.appendInteger(position) }
            reply.bytes.appendSetHeader(1, version)
            reply.bytes.appendBulk("@\(command.topic.rawValue)")
            for _ in 0..<3 { reply.bytes.appendArrayHeader(0) }
        }
    }

    private static func appendDocumentation(
        on commands: [any Command.Type], to reply: inout ReplyBuffer, _ version: ProtocolVersion
    ) {
        reply.bytes.appendMapHeader(commands.count, version)
        for command in commands {
            reply.bytes.appendBulk(command.name)
            let lines = [("summary", command.summary), ("since", "1.0.0"), ("group", command.topic.rawValue)]
            reply.bytes.appendMapHeader(lines.count, version)
            for (name, value) in lines {
                reply.bytes.appendBulk(name)
                reply.bytes.appendBulk(value)
            }
        }
    }

    private static func appendKeys(of request: Request, to reply: inout ReplyBuffer) {
        guard let command = served(request[2]) else {
            reply.bytes.appendError("ERR Invalid command specified")
            return
        }
        let first = 3
        switch command.keys {
        case .none: reply.bytes.appendError("ERR The command has no key arguments")
        case .first where request.count > first:
            reply.bytes.appendArrayHeader(1)
            reply.bytes.appendBulk(request[first])
        case .allFromFirst where request.count > first:
            reply.bytes.appendArrayHeader(request.count - first)
            for index in first..<request.count { reply.bytes.appendBulk(request[index]) }
        case .first, .allFromFirst: reply.bytes.appendError("ERR Invalid number of arguments specified for command")
        }
    }
}
