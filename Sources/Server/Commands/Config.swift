import RESP

/// `CONFIG GET pattern [pattern ...]`: what clients ask Redis for. Settings change in the settings' file.
enum Config: Command {
    static let name = "config"
    static let arity = -2
    static let topic = CommandTopic.server
    static let summary = "Returns settings under the names that Redis has for them."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        let subcommand = request.word(at: 1)
        if subcommand == "get", request.count > 2 {
            get(request, client, &reply)
        } else if subcommand == "set" || subcommand == "rewrite" {
            reply.bytes.appendError(
                "ERR CONFIG \(request.string(at: 1).uppercased()) is not supported: settings are read "
                    + "from the settings' file at start")
        } else if subcommand == "resetstat" {
            reply.bytes.appendError("ERR CONFIG RESETSTAT is not supported: figures count from the start")
        } else {
            reply.bytes.appendError("ERR unknown subcommand or wrong number of arguments for 'config'. Try CONFIG GET.")
        }
    }

    private static func get(_ request: Request, _ client: ClientConnection, _ reply: inout ReplyBuffer) {
        var patterns: [[UInt8]] = []
        for index in 2..<request.count { patterns.append(Array(request.string(at: index).lowercased().utf8)) }
        let matching = settings(client.server).filter { setting in
            patterns.contains { Glob.matches(Array(setting.name.utf8), $0) }
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
            ("maxclients", "\(context.settings.maxClients)"),
            ("maxmemory", "\(context.information.memoryLimit)"), ("maxmemory-policy", "allkeys-lru"),
            ("proto-max-bulk-len", "\(context.settings.maxRequest)"), ("timeout", "0"),
            // All of them, with nothing to turn on: who subscribes is told.
            ("notify-keyspace-events", "AKE"),
            ("unixsocket", context.settings.socket), ("unixsocketperm", String(context.settings.mode, radix: 8)),
        ]
    }
}
