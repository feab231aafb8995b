import RESP

/// Settings change in the settings' file.
enum Config: ContainerCommand {
    static let name = "config"
    static let topic = CommandTopic.server
    static let summary = "Tells settings."

    static let subcommands = [
        Subcommand(
            "get", "pattern [pattern ...]", "A map of settings under the names that Redis has for them.", get)
    ]

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        let subcommand = request.word(at: 1)
        if subcommand == "set" || subcommand == "rewrite" {
            reply.bytes.appendError(
                "ERR CONFIG \(request.string(at: 1).uppercased()) is not supported: change the settings' file, "
                    + "and have it read by PGS.RELOAD or SIGHUP")
        } else if subcommand == "resetstat" {
            reply.bytes.appendError("ERR CONFIG RESETSTAT is not supported: figures count from the start")
        } else {
            dispatch(request, for: client, reply: &reply)
        }
    }

    private static let get: Subcommand.Body = { request, client, reply in
        var patterns: [Glob] = []
        for index in 2..<request.count {
            let pattern = Array(request.string(at: index).lowercased().utf8)
            guard let glob = Glob(pattern.span.bytes) else { return reply.bytes.appendError(Glob.tooComplex) }
            patterns.append(glob)
        }
        let matching = settings(client.server).filter { setting in
            patterns.contains { $0.matches(Array(setting.name.utf8)) }
        }
        reply.bytes.appendMapHeader(matching.count, client.version)
        for (name, value) in matching {
            reply.bytes.appendBulk(name)
            reply.bytes.appendBulk(value)
        }
    }

    private static func settings(_ context: ServerContext) -> [(name: String, value: String)] {
        [
            ("appendonly", "no"), ("save", ""), ("databases", "1"), ("cluster-enabled", "no"),
            ("maxclients", "\(context.admission.maxClients)"),
            ("maxmemory", "\(context.information.memoryLimit())"), ("maxmemory-policy", context.groups.memoryPolicy),
            ("proto-max-bulk-len", "\(context.settings.maxRequest)"), ("timeout", "0"),
            // All of them, with nothing to turn on: who subscribes is told.
            ("notify-keyspace-events", "AKE"),
            ("unixsocket", context.settings.socket), ("unixsocketperm", String(context.settings.mode, radix: 8)),
        ]
    }
}
