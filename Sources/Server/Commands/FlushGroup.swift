import CacheCore
import RESP

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
