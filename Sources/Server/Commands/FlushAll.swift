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
