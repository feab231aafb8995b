import CacheCore
import RESP

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
