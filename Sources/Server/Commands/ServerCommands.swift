import CacheCore
import RESP

/// `FLUSHALL [ASYNC|SYNC]`: invalidates everything. The rows stay where they are.
enum FlushAll: Command {
    static let name = "flushall"
    static let arity = -1
    static let topic = CommandTopic.server
    static let summary = "Drops every entry of every group from memory."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        guard request.count == 1 || request.count == 2 && isMode(request.word(at: 1)) else {
            reply.bytes.appendError("ERR syntax error")
            return
        }
        for served in client.keyspace.groups { served.group.invalidateAll() }
        reply.bytes.appendSimpleString("OK")
    }

    private static func isMode(_ word: CommandWord) -> Bool {
        word == "async" || word == "sync"
    }
}

/// `FLUSHDB [ASYNC|SYNC]`: the same as `FLUSHALL`, since there is one database.
enum FlushDB: Command {
    static let name = "flushdb"
    static let arity = FlushAll.arity
    static let topic = FlushAll.topic
    static let summary = FlushAll.summary

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        FlushAll.run(request, for: client, reply: &reply)
    }
}

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
