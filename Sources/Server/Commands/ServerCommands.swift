import CacheCore
import RESP

enum FlushAll: Command {
    static let name = "flushall"
    static let syntax = "[ASYNC|SYNC]"
    static let isForAdministrators = true
    static let topic = CommandTopic.server
    static let summary = "`OK`; every entry of every group is dropped. May be kept to `admin_users`."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        guard request.count == 1 || request.count == 2 && isMode(request.word(at: 1)) else {
            reply.bytes.appendError("ERR syntax error")
            return
        }
        for served in client.keyspace.groups { served.group.invalidateAll() }
        client.server.tellEverything()
        reply.bytes.appendSimpleString("OK")
    }

    private static func isMode(_ word: CommandWord) -> Bool {
        word == "async" || word == "sync"
    }
}

enum FlushDB: Command {
    static let name = "flushdb"
    static let syntax = "[ASYNC|SYNC]"
    static let isForAdministrators = true
    static let topic = FlushAll.topic
    static let summary = "The same, since there is one database."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        FlushAll.run(request, for: client, reply: &reply)
    }
}

enum DBSize: Command {
    static let name = "dbsize"
    static let topic = CommandTopic.server
    static let summary = "The number of entries in memory."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        reply.bytes.appendInteger(client.keyspace.groups.reduce(0) { $0 + $1.group.statistics.entries })
    }
}

enum Memory: ContainerCommand {
    static let name = "memory"
    static let keys = KeyPositions.second
    static let topic = CommandTopic.server
    static let summary = "Tells what entries take."

    static let subcommands = [
        Subcommand(
            "usage", "key [SAMPLES count]", "The bytes that the entry takes, overhead included; nil: not in memory."
        ) { request, client, reply in
            let isRight = request.count == 3 || request.count == 5 && request.word(at: 3) == "samples"
            guard isRight, request.count == 3 || request.integer(at: 4) != nil else {
                reply.bytes.appendError(ErrorText.syntax)
                return
            }
            client.appendInspection(of: request[2], to: &reply) { entry, _, reply in reply.appendInteger(entry.bytes) }
        }
    ]
}

enum Time: Command {
    static let name = "time"
    static let topic = CommandTopic.server
    static let summary = "The time of day: an array of the seconds since 1970 and the microseconds within."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        let now = WallClock.now()
        reply.bytes.appendArrayHeader(2)
        reply.bytes.appendBulk(decimal: now.seconds)
        reply.bytes.appendBulk(decimal: now.microseconds)
    }
}

// MARK: What monitoring asks a Redis for

enum Role: Command {
    static let name = "role"
    static let topic = CommandTopic.server
    static let summary = "`master`, with nothing replicated and nobody who replicates."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        reply.bytes.appendArrayHeader(3)
        reply.bytes.appendBulk("master")
        reply.bytes.appendInteger(0)
        reply.bytes.appendArrayHeader(0)
    }
}

enum Wait: Command {
    static let name = "wait"
    static let syntax = "numreplicas timeout"
    static let topic = CommandTopic.generic
    static let summary = "0 at once: there are no replicas to wait for."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        guard request.integer(at: 1) != nil else { return reply.bytes.appendError(ErrorText.notAnInteger) }
        guard let timeout = request.integer(at: 2) else {
            return reply.bytes.appendError("ERR timeout is not an integer or out of range")
        }
        guard timeout >= 0 else { return reply.bytes.appendError("ERR timeout is negative") }
        reply.bytes.appendInteger(0)
    }
}

enum ACL: ContainerCommand {
    static let name = "acl"
    static let topic = CommandTopic.server
    static let summary = "Tells about users."

    static let subcommands = [
        Subcommand("users", "An array of the one user, `default`.") { _, _, reply in
            reply.bytes.appendArrayHeader(1)
            reply.bytes.appendBulk("default")
        },
        Subcommand("whoami", "`default`.") { _, _, reply in reply.bytes.appendBulk("default") },
    ]
}

enum Module: ContainerCommand {
    static let name = "module"
    static let topic = CommandTopic.server
    static let summary = "Tells about modules."

    static let subcommands = [
        Subcommand("list", "An empty array: there are none.") { _, _, reply in reply.bytes.appendArrayHeader(0) }
    ]
}

enum Latency: ContainerCommand {
    static let name = "latency"
    static let topic = CommandTopic.server
    static let summary = "Tells about latency spikes, of which none are kept."

    static let subcommands = [
        Subcommand("histogram", "[command [command ...]]", "An empty map.") { _, client, reply in
            reply.bytes.appendMapHeader(0, client.version)
        },
        Subcommand("history", "event", "An empty array.") { _, _, reply in reply.bytes.appendArrayHeader(0) },
        Subcommand("latest", "An empty array.") { _, _, reply in reply.bytes.appendArrayHeader(0) },
        Subcommand("reset", "[event [event ...]]", "0.") { _, _, reply in reply.bytes.appendInteger(0) },
    ]
}
