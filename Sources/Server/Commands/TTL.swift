import CacheCore
import RESP

/// `TTL key`: the seconds that an entry has left in memory; -1: no limit; -2: not in memory. Never loads.
enum TTL: Command {
    static let name = "ttl"
    static let arity = 2
    static let keys = KeyPositions.first
    static let topic = CommandTopic.generic
    static let summary = "Returns how many seconds an entry has left in memory. Never loads."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        // Rounded, as in Redis.
        PTTL.append(request[1], for: client, to: &reply) { ($0 + 500) / 1000 }
    }
}
