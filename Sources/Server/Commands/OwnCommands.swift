import CacheCore
import RESP

/// `PGS.PEEK key`: the value if it is in memory, else nil. Never loads.
enum Peek: Command {
    static let name = "pgs.peek"
    static let arity = 2
    static let keys = KeyPositions.first
    static let topic = CommandTopic.string
    static let summary = "Returns the value of a key if it is in memory. Never loads."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        guard let place = client.locate(request[1], &reply) else { return }
        let group = client.keyspace.groups[place.group].group
        let key = request[1].extracting(droppingFirst: place.keyOffset)
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

/// `PGS.REFRESH key`: loads now, whatever is in memory, and answers as `GET` does. Those who ask at the same time share the
/// load.
enum Refresh: Command {
    static let name = "pgs.refresh"
    static let arity = 2
    static let keys = KeyPositions.first
    static let topic = CommandTopic.string
    static let summary = "Loads a key now, although it may be in memory, and returns its value."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        client.appendRefreshedText(of: request[1], to: &reply)
    }
}

/// `PGS.FLUSH group`: invalidates every key of one group.
enum FlushGroup: Command {
    static let name = "pgs.flush"
    static let arity = 2
    static let topic = CommandTopic.server
    static let summary = "Drops every entry of one group from memory."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        guard let served = client.keyspace.group(named: request[1]) else {
            reply.bytes.appendError(client.keyspace.unknownGroup(request[1]))
            return
        }
        served.group.invalidateAll()
        reply.bytes.appendSimpleString("OK")
    }
}

/// `PGS.STATS [group]`: the figures of one group as a map, or of all as a map of maps.
enum Statistics: Command {
    static let name = "pgs.stats"
    static let arity = -1
    static let topic = CommandTopic.server
    static let summary = "Returns what was counted, by group."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        switch request.count {
        case 1:
            reply.bytes.appendMapHeader(client.keyspace.groups.count, client.version)
            for served in client.keyspace.groups {
                reply.bytes.appendBulk(served.group.name)
                append(served.group.statistics, to: &reply, client.version)
            }
        case 2:
            if let served = client.keyspace.group(named: request[1]) {
                append(served.group.statistics, to: &reply, client.version)
            } else {
                reply.bytes.appendError(client.keyspace.unknownGroup(request[1]))
            }
        default: reply.bytes.appendError(ErrorText.wrongNumberOfArguments(name))
        }
    }

    private static func append(
        _ statistics: GroupStatistics, to reply: inout ReplyBuffer, _ version: ProtocolVersion
    ) {
        reply.bytes.appendMapHeader(GroupStatistics.named.count, version)
        for (name, figure) in GroupStatistics.named {
            reply.bytes.appendBulk(name)
            reply.bytes.appendInteger(statistics[keyPath: figure])
        }
    }
}

/// `PGS.HOT group [n]`: the keys that were asked for most of late, most asked first, each with about how often.
enum Hot: Command {
    static let name = "pgs.hot"
    static let arity = -2
    static let topic = CommandTopic.server
    static let summary = "Returns the keys of a group that were asked for most of late, with about how often."

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
