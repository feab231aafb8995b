import RESP

/// `COMMAND [COUNT|LIST|INFO|DOCS|GETKEYS]`: tells about commands.
enum CommandCommand: ContainerCommand {
    static let name = "command"
    static let syntax = "[subcommand [argument ...]]"
    static let topic = CommandTopic.server
    static let summary = "Tells about commands."

    static let subcommands = [
        Subcommand("count", "Returns how many commands there are.") { _, _, reply in
            reply.bytes.appendInteger(CommandTable.served.count)
        },
        Subcommand("docs", "[command-name [command-name ...]]", "Returns what commands do and take.") {
            request, client, reply in
            appendDocumentation(of: named(request).compactMap { $0 }, to: &reply.bytes, client.version)
        },
        Subcommand("getkeys", "command arg [arg ...]", "Returns the keys in a request.") { request, _, reply in
            appendKeys(of: request, to: &reply)
        },
        Subcommand("info", "[command-name [command-name ...]]", "Returns what clients want to know of commands.") {
            request, client, reply in
            appendInformation(on: named(request), to: &reply, client.version)
        },
        Subcommand("list", "Returns the names of the commands.") { _, _, reply in
            reply.bytes.appendArrayHeader(CommandTable.served.count)
            for command in CommandTable.served { reply.bytes.appendBulk(command.name) }
        },
    ]

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        if request.count > 1 {
            dispatch(request, for: client, reply: &reply)
        } else {
            appendInformation(on: CommandTable.served, to: &reply, client.version)
        }
    }

    /// Those that are named behind the subcommand, nil for one that is not served; all when none is named.
    private static func named(_ request: Request) -> [(any Command.Type)?] {
        guard request.count > 2 else { return CommandTable.served }
        var commands: [(any Command.Type)?] = []
        for index in 2..<request.count { commands.append(CommandTable.standard.command(named: request[index])?.type) }
        return commands
    }

    // MARK: COMMAND INFO

    /// Redis' ten elements: name, arity, flags, first key, last key, step, categories, tips, key specifications,
    /// subcommands.
    private static func appendInformation(
        on commands: [(any Command.Type)?], to reply: inout ReplyBuffer, _ version: ProtocolVersion
    ) {
        reply.bytes.appendArrayHeader(commands.count)
        for command in commands {
            guard let command else {
                reply.bytes.appendNull(version)
                continue
            }
            let subcommands = (command as? any ContainerCommand.Type)?.subcommands ?? []
            let syntax = CommandSyntax(command.syntax)
            appendElements(command.name, syntax.arity.number, command, to: &reply.bytes, version)
            reply.bytes.appendArrayHeader(subcommands.count)
            for subcommand in subcommands {
                let name = "\(command.name)|\(subcommand.name)"
                appendElements(name, subcommand.syntax.arity.number, command, to: &reply.bytes, version)
                reply.bytes.appendArrayHeader(0)
            }
        }
    }

    /// All but the subcommands.
    private static func appendElements(
        _ name: String, _ arity: Int, _ command: any Command.Type, to reply: inout OutputBuffer,
        _ version: ProtocolVersion
    ) {
        reply.appendArrayHeader(10)
        reply.appendBulk(name)
        reply.appendInteger(arity)
        let flags =
            [command.topic == .pubsub ? "pubsub" : "readonly", "fast"] + (command.needsNoPassword ? ["no_auth"] : [])
        reply.appendSetHeader(flags.count, version)
        for flag in flags { reply.appendStatus(flag) }
        let (first, last, step) = command.keys.positions
        for position in [first, last, step] { reply.appendInteger(position) }
        reply.appendSetHeader(1, version)
        reply.appendStatus("@\(command.topic.rawValue)")
        for _ in 0..<2 { reply.appendSetHeader(0, version) }
    }

    // MARK: COMMAND DOCS

    private static func appendDocumentation(
        of commands: [any Command.Type], to reply: inout OutputBuffer, _ version: ProtocolVersion
    ) {
        reply.appendMapHeader(commands.count, version)
        for command in commands {
            let subcommands = (command as? any ContainerCommand.Type)?.subcommands ?? []
            // A container's own arguments are its subcommands.
            let arguments = subcommands.isEmpty ? CommandSyntax(command.syntax).arguments : []
            reply.appendBulk(command.name)
            reply.appendMapHeader(3 + (arguments.isEmpty ? 0 : 1) + (subcommands.isEmpty ? 0 : 1), version)
            appendText(command.summary, command, to: &reply)
            append(arguments, to: &reply, version)
            guard !subcommands.isEmpty else { continue }
            reply.appendBulk("subcommands")
            reply.appendMapHeader(subcommands.count, version)
            for subcommand in subcommands {
                reply.appendBulk("\(command.name)|\(subcommand.name)")
                reply.appendMapHeader(subcommand.syntax.arguments.isEmpty ? 3 : 4, version)
                appendText(subcommand.summary, command, to: &reply)
                append(subcommand.syntax.arguments, to: &reply, version)
            }
        }
    }

    /// Three pairs that every command has.
    private static func appendText(_ summary: String, _ command: any Command.Type, to reply: inout OutputBuffer) {
        for (name, value) in [
            ("summary", summary.filter { $0 != "`" }), ("since", "1.0.0"), ("group", command.topic.rawValue),
        ] {
            reply.appendBulk(name)
            reply.appendBulk(value)
        }
    }

    private static func append(
        _ arguments: [CommandSyntax.Argument], to reply: inout OutputBuffer, _ version: ProtocolVersion
    ) {
        guard !arguments.isEmpty else { return }
        reply.appendBulk("arguments")
        reply.appendArrayHeader(arguments.count)
        for argument in arguments {
            let (type, parts) = argument.redisType
            let flags = (argument.isOptional ? ["optional"] : []) + (argument.isMultiple ? ["multiple"] : [])
            reply.appendMapHeader(
                2 + (argument.token == nil ? 0 : 1) + (flags.isEmpty ? 0 : 1) + (parts.isEmpty ? 0 : 1), version)
            for text in ["name", argument.name, "type", type] { reply.appendBulk(text) }
            if let token = argument.token {
                for text in ["token", token] { reply.appendBulk(text) }
            }
            if !flags.isEmpty {
                reply.appendBulk("flags")
                reply.appendSetHeader(flags.count, version)
                for flag in flags { reply.appendStatus(flag) }
            }
            append(parts, to: &reply, version)
        }
    }

    // MARK: COMMAND GETKEYS

    private static func appendKeys(of request: Request, to reply: inout ReplyBuffer) {
        guard let command = CommandTable.standard.command(named: request[2]) else {
            reply.bytes.appendError("ERR Invalid command specified")
            return
        }
        guard command.type.keys != .none else {
            reply.bytes.appendError("ERR The command has no key arguments")
            return
        }
        guard command.arity.accepts(request.count - 2) else {
            reply.bytes.appendError("ERR Invalid number of arguments specified for command")
            return
        }
        let (first, last, _) = command.type.keys.positions
        let keys = first + 2..<(last < 0 ? request.count : last + 3)
        reply.bytes.appendArrayHeader(keys.count)
        for index in keys where index < request.count { reply.bytes.appendBulk(request[index]) }
    }
}

extension CommandSyntax.Argument {
    /// Redis' type, and what it consists of.
    fileprivate var redisType: (String, [CommandSyntax.Argument]) {
        switch kind {
        case .token: ("pure-token", [])
        case .oneOf(let choices): ("oneof", choices)
        case .block(let parts): ("block", parts)
        case .value: (Self.types[name] ?? "string", [])
        }
    }

    private static let types = [
        "key": "key", "pattern": "pattern", "count": "integer", "cursor": "integer", "start": "integer",
        "end": "integer", "index": "integer", "protover": "integer", "client-id": "integer", "numreplicas": "integer",
        "timeout": "integer", "n": "integer",
    ]
}
