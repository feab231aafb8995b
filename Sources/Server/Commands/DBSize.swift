import CacheCore
import RESP

/// `DBSIZE`: the number of entries in memory.
enum DBSize: Command {
    static let name = "dbsize"
    static let arity = 1
    static let topic = CommandTopic.server
    static let summary = "Returns the number of entries in memory."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        reply.bytes.appendInteger(client.keyspace.groups.reduce(0) { $0 + $1.group.statistics.entries })
    }
}
