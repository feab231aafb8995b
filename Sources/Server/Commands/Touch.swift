import CacheCore
import RESP

/// `TOUCH key [key ...]`: marks entries as just asked for; returns how many of them are in memory. Never loads.
enum Touch: Command {
    static let name = "touch"
    static let arity = -2
    static let keys = KeyPositions.allFromFirst
    static let topic = CommandTopic.generic
    static let summary = "Marks entries as just asked for. Never loads."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        let now = client.now
        client.appendCount(of: request, to: &reply) { group, key in group.touch(key, at: now) }
    }
}
