import CacheCore
import RESP

/// `EXISTS key [key ...]`: how many of the keys have a row; one that is named twice counts twice. Loads what is not in
/// memory, and answers with the error when one of the loads fails.
enum Exists: Command {
    static let name = "exists"
    static let arity = -2
    static let keys = KeyPositions.allFromFirst
    static let topic = CommandTopic.generic
    static let summary = "Returns how many of the keys have a row, loading those that are not in memory."

    /// Counts over the keys of one request.
    private final class Tally {
        var found = 0
        var open = 0
    }

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        let tally = Tally()
        let mark = reply.mark
        for index in 1..<request.count {
            guard let place = client.locate(request[index], &reply) else {
                // The error stays as the one reply; loads that were started go on for others.
                client.drop(&reply, from: mark)
                _ = client.locate(request[index], &reply)
                return
            }
            var count = 0
            let lookup = client.lookup(request[index], at: place, .none, count: &count)
            let key = request[index].extracting(droppingFirst: place.keyOffset)
            // The last one that is counted writes the reply.
            let counts: Hole.Writer = { value, reply, _ in
                tally.found += value.isMissing ? 0 : 1
                tally.open -= 1
                if tally.open == 0 { reply.bytes.appendInteger(tally.found) }
            }
            let hit = client.settle(lookup, of: key, place, &reply, use: .part(counts))
            switch hit {
            case nil: tally.open += 1
            case .negative?: break
            case .copied?, .large?: tally.found += 1
            }
        }
        if tally.open == 0 { reply.bytes.appendInteger(tally.found) }
    }
}

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

/// `UNLINK key [key ...]`: the same as `DEL`.
enum Unlink: Command {
    static let name = "unlink"
    static let arity = Del.arity
    static let keys = Del.keys
    static let topic = Del.topic
    static let summary = Del.summary

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        Del.run(request, for: client, reply: &reply)
    }
}
