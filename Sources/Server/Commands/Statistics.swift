import CacheCore
import RESP

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
