import CacheCore
import RESP

/// `PTTL key`: the milliseconds that an entry has left in memory; -1: no limit; -2: not in memory. Never loads.
enum PTTL: Command {
    static let name = "pttl"
    static let arity = 2
    static let keys = KeyPositions.first
    static let topic = CommandTopic.generic
    static let summary = "Returns how many milliseconds an entry has left in memory. Never loads."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        append(request[1], for: client, to: &reply) { $0 }
    }

    /// Appends what is left in the unit that `unit` makes of milliseconds.
    static func append(
        _ key: RawSpan, for client: ClientConnection, to reply: inout ReplyBuffer, unit: (Int) -> Int
    ) {
        guard let place = client.locate(key, &reply) else { return }
        let group = client.keyspace.groups[place.group].group
        switch group.lifetime(of: key.extracting(droppingFirst: place.keyOffset), at: client.now) {
        case .absent: reply.bytes.appendInteger(-2)
        case .unlimited: reply.bytes.appendInteger(-1)
        case .left(let left):
            let (seconds, attoseconds) = left.components
            reply.bytes.appendInteger(unit(max(0, Int(seconds) * 1000 + Int(attoseconds / 1_000_000_000_000_000))))
        }
    }
}
