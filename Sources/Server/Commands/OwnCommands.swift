import CacheCore
import RESP

enum Peek: Command {
    static let name = "pgs.peek"
    static let syntax = "key"
    static let keys = KeyPositions.first
    static let topic = CommandTopic.own
    static let summary = "The value if it is in memory, else nil. Never loads."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        guard let location = client.locate(request[1], &reply) else { return }
        let group = client.keyspace.groups[location.group].group
        let key = location.key(in: request[1])
        var hit: Hit?
        let isCopied: Bool? = reply.bytes.appendBulk(capacity: Group.copyLimit) { output in
            hit = group.peek(key, .text, at: client.now, into: &output)
            if case .copied? = hit { return true }
            return nil
        }
        if isCopied == true { return }
        switch hit {
        case nil, .negative?, .copied?: reply.bytes.appendNull(client.version)
        case .large(let value)?: reply.appendBulk(value)
        }
    }
}

enum Refresh: Command {
    static let name = "pgs.refresh"
    static let syntax = "key"
    static let keys = KeyPositions.first
    static let topic = CommandTopic.own
    static let summary =
        "As `GET`, but loaded now, whatever is in memory. Those who ask at the same time share the load, as they "
        + "do one that is under way already."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        client.appendRefreshedText(of: request[1], to: &reply)
    }

    /// What it loaded is in memory by now.
    static func runAgain(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        Get.run(request, for: client, reply: &reply)
    }
}

enum FlushGroup: Command {
    static let name = "pgs.flush"
    static let syntax = "group"
    static let isForAdministrators = true
    static let topic = CommandTopic.own
    static let summary = "`OK`; every entry of the group is dropped. May be kept to `admin_users`."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        guard let served = client.keyspace.group(named: request[1]) else {
            reply.bytes.appendError(client.keyspace.unknownGroup(request[1]))
            return
        }
        served.group.invalidateAll()
        reply.bytes.appendSimpleString("OK")
    }
}

enum Statistics: Command {
    static let name = "pgs.stats"
    static let syntax = "[group]"
    static let topic = CommandTopic.own
    static let summary = "The figures of one group as a map, or of all groups as a map of maps."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        switch request.count {
        case 1:
            reply.bytes.appendMapHeader(client.keyspace.groups.count, client.version)
            for served in client.keyspace.groups {
                reply.bytes.appendBulk(served.group.name)
                append(GroupFigures(of: served.group), to: &reply, client.version)
            }
        case 2:
            if let served = client.keyspace.group(named: request[1]) {
                append(GroupFigures(of: served.group), to: &reply, client.version)
            } else {
                reply.bytes.appendError(client.keyspace.unknownGroup(request[1]))
            }
        default: reply.bytes.appendError(ErrorText.wrongNumberOfArguments(name))
        }
    }

    private static func append(_ figures: GroupFigures, to reply: inout ReplyBuffer, _ version: ProtocolVersion) {
        let figures = figures.all
        reply.bytes.appendMapHeader(figures.count, version)
        for (name, value) in figures {
            reply.bytes.appendBulk(name)
            reply.bytes.appendInteger(value)
        }
    }
}

enum Hot: Command {
    static let name = "pgs.hot"
    static let syntax = "group [n]"
    static let topic = CommandTopic.own
    static let summary =
        "The `n` (10) keys that were asked for most of late, most asked first: an array of arrays of two, the key "
        + "and about how many lookups it had. Estimated from one lookup in thirty-two; past lookups fade, and each "
        + "shard of a group remembers 64 keys."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        guard request.count <= 3 else {
            reply.bytes.appendError(ErrorText.wrongNumberOfArguments(name))
            return
        }
        guard let served = client.keyspace.group(named: request[1]) else {
            reply.bytes.appendError(client.keyspace.unknownGroup(request[1]))
            return
        }
        guard let count = request.count == 3 ? request.integer(at: 2) : 10, count > 0 else {
            reply.bytes.appendError("ERR value is out of range, must be positive")
            return
        }
        let hot = served.group.mostAccessed(count)
        reply.bytes.appendArrayHeader(hot.count)
        for (key, lookups) in hot {
            reply.bytes.appendArrayHeader(2)
            reply.bytes.appendBulk(served.group.wireKey(key).span.bytes)
            reply.bytes.appendInteger(lookups)
        }
    }
}
