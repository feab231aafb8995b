import CacheCore
import RESP

/// `DEL key [key ...]`: invalidates; returns how many of the keys had an entry or a load under way. The row stays where it
/// is, and the next `GET` loads it anew.
enum Del: Command {
    static let name = "del"
    static let arity = -2
    static let keys = KeyPositions.allFromFirst
    static let topic = CommandTopic.generic
    static let summary = "Drops entries from memory, and keeps loads that are under way from being stored."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        client.appendCount(of: request, to: &reply) { group, key in group.invalidate(key) }
    }
}

extension ClientConnection {
    /// Appends for how many of a request's keys `isCounted` says yes; an error when one of them names no group, and then
    /// nothing is done.
    func appendCount(of request: Request, to reply: inout ReplyBuffer, _ isCounted: (Group, RawSpan) -> Bool) {
        for index in 1..<request.count where locate(request[index], &reply) == nil { return }
        var count = 0
        for index in 1..<request.count {
            guard let place = locate(request[index], &reply) else { return }
            let key = request[index].extracting(droppingFirst: place.keyOffset)
            if isCounted(keyspace.groups[place.group].group, key) { count += 1 }
        }
        reply.bytes.appendInteger(count)
    }
}
