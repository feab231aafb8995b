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
