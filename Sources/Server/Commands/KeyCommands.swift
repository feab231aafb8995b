import CacheCore
import Glibc
import RESP

// MARK: Asking

enum Exists: Command {
    static let name = "exists"
    static let syntax = "key [key ...]"
    static let keys = KeyPositions.allFromFirst
    static let topic = CommandTopic.generic
    static let summary =
        "How many of the keys have a row. A key that is named twice counts twice. One failed load makes the whole reply "
        + "its error."

    /// Counts over the keys of one request.
    private final class Tally {
        var found = 0
        var open = 0
    }

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        let tally = Tally()
        let start = reply.end
        for index in 1..<request.count {
            guard let location = client.locate(request[index], &reply) else {
                // The error stays as the one reply; loads that were started go on for others.
                client.drop(&reply, from: start)
                _ = client.locate(request[index], &reply)
                return
            }
            var count = 0
            let key = location.key(in: request[index])
            let lookup = client.lookup(key, at: location, .none, count: &count)
            // The last one that is counted writes the reply.
            let counts: Hole.Writer = { value, reply, _ in
                tally.found += value.isMissing ? 0 : 1
                tally.open -= 1
                if tally.open == 0 { reply.bytes.appendInteger(tally.found) }
            }
            let hit = client.settle(lookup, of: key, location, &reply, use: .part(counts))
            switch hit {
            case nil: tally.open += 1
            case .negative?: break
            case .copied?, .large?: tally.found += 1
            }
        }
        if tally.open == 0 { reply.bytes.appendInteger(tally.found) }
    }
}

enum TypeOf: Command {
    static let name = "type"
    static let syntax = "key"
    static let keys = KeyPositions.first
    static let topic = CommandTopic.generic
    static let summary = "`hash` in groups with `returns: row`, else `string`; `none`: no such row."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        guard let location = client.locate(request[1], &reply) else { return }
        let type = client.keyspace.groups[location.group].shape.redisType
        client.appendAnswer(of: request[1], .none, to: &reply) { text, reply, _ in
            if text == nil {
                reply.bytes.appendSimpleString("none")
            } else if type == "hash" {
                reply.bytes.appendSimpleString("hash")
            } else {
                reply.bytes.appendSimpleString("string")
            }
        }
    }
}

extension ServedGroup.Shape {
    /// The type of the group's keys in Redis' eyes: a hash is what they are that have columns.
    var redisType: CommandWord {
        switch self {
        case .row: "hash"
        case .value, .rows: "string"
        }
    }
}

// MARK: What is in memory

enum TTL: Command {
    static let name = "ttl"
    static let syntax = "key"
    static let keys = KeyPositions.first
    static let topic = CommandTopic.generic
    static let summary = "The seconds that the entry has left in memory; -1: no limit; -2: not in memory. Never loads."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        // Rounded, as in Redis.
        client.appendLifetime(of: request[1], to: &reply) { ($0 + 500) / 1000 }
    }
}

enum PTTL: Command {
    static let name = "pttl"
    static let syntax = "key"
    static let keys = KeyPositions.first
    static let topic = CommandTopic.generic
    static let summary = "The same in milliseconds."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        client.appendLifetime(of: request[1], to: &reply) { $0 }
    }
}

enum ExpireTime: Command {
    static let name = "expiretime"
    static let syntax = "key"
    static let keys = KeyPositions.first
    static let topic = CommandTopic.generic
    static let summary = "When the entry leaves memory, in seconds since 1970; -1 and -2 as for `TTL`. Never loads."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        let now = WallClock.now().milliseconds
        client.appendLifetime(of: request[1], to: &reply) { ($0 + now + 500) / 1000 }
    }
}

enum PExpireTime: Command {
    static let name = "pexpiretime"
    static let syntax = "key"
    static let keys = KeyPositions.first
    static let topic = CommandTopic.generic
    static let summary = "The same in milliseconds."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        let now = WallClock.now().milliseconds
        client.appendLifetime(of: request[1], to: &reply) { $0 + now }
    }
}

enum Touch: Command {
    static let name = "touch"
    static let syntax = "key [key ...]"
    static let keys = KeyPositions.allFromFirst
    static let topic = CommandTopic.generic
    static let summary = "How many of the keys are in memory; they count as just asked for. Never loads."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        let now = client.now
        client.appendCount(of: request, to: &reply) { group, key in group.touch(key, at: now) }
    }
}

enum Object: ContainerCommand {
    static let name = "object"
    static let keys = KeyPositions.second
    static let topic = CommandTopic.generic
    static let summary = "Tells about an entry in memory."

    static let subcommands = [
        Subcommand(
            "encoding", "key", "`listpack` for a row, else `raw`; nil: not in memory. Never loads."
        ) { request, client, reply in
            client.appendInspection(of: request[2], to: &reply) { _, shape, reply in
                reply.appendBulk(shape.redisType == "hash" ? "listpack" : "raw")
            }
        },
        Subcommand(
            "freq", "key", "About how many lookups it had of late, as `PGS.HOT` counts them; nil: not in memory."
        ) { request, client, reply in
            client.appendInspection(of: request[2], to: &reply) { entry, _, reply in reply.appendInteger(entry.lookups)
            }
        },
        Subcommand(
            "idletime", "key", "How many seconds ago it was asked for, roughly; nil: not in memory."
        ) { request, client, reply in
            client.appendInspection(of: request[2], to: &reply) { entry, _, reply in
                reply.appendInteger(Int(entry.idle.components.seconds))
            }
        },
        Subcommand("refcount", "key", "1; nil: not in memory.") { request, client, reply in
            client.appendInspection(of: request[2], to: &reply) { _, _, reply in reply.appendInteger(1) }
        },
    ]
}

// MARK: Invalidating

/// The row stays where it is, and the next `GET` loads it anew.
enum Del: Command {
    static let name = "del"
    static let syntax = "key [key ...]"
    static let keys = KeyPositions.allFromFirst
    static let readsValues = false
    static let topic = CommandTopic.generic
    static let summary =
        "Drops entries from memory; how many of the keys had an entry or a load under way. What is under way is not kept."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        TrackingTable.$cause.withValue(client.id) {
            client.appendCount(of: request, to: &reply) { group, key in group.invalidate(key) }
        }
    }
}

enum Unlink: Command {
    static let name = "unlink"
    static let syntax = Del.syntax
    static let keys = Del.keys
    static let readsValues = false
    static let topic = Del.topic
    static let summary = "The same as `DEL`."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        Del.run(request, for: client, reply: &reply)
    }
}

// MARK: What they share

extension ClientConnection {
    /// Appends how many of a request's keys `isCounted` says yes to; or an error when one of them names no group, and then
    /// does nothing else.
    fileprivate func appendCount(
        of request: Request, to reply: inout ReplyBuffer, _ isCounted: (Group, RawSpan) -> Bool
    ) {
        for index in 1..<request.count where locate(request[index], &reply) == nil { return }
        var count = 0
        for index in 1..<request.count {
            guard let location = locate(request[index], &reply) else { return }
            let key = location.key(in: request[index])
            if isCounted(keyspace.groups[location.group].group, key) { count += 1 }
        }
        reply.bytes.appendInteger(count)
    }

    /// Appends what an entry has left, as `unit` makes it of milliseconds.
    fileprivate func appendLifetime(of key: RawSpan, to reply: inout ReplyBuffer, unit: (Int) -> Int) {
        guard let location = locate(key, &reply) else { return }
        let group = keyspace.groups[location.group].group
        switch group.lifetime(of: location.key(in: key), at: now) {
        case .absent: reply.bytes.appendInteger(-2)
        case .unlimited: reply.bytes.appendInteger(-1)
        case .left(let left):
            let (seconds, attoseconds) = left.components
            reply.bytes.appendInteger(unit(max(0, Int(seconds) * 1000 + Int(attoseconds / 1_000_000_000_000_000))))
        }
    }

    /// Appends what `write` makes of what is known of an entry; nil when it is not in memory.
    func appendInspection(
        of key: RawSpan, to reply: inout ReplyBuffer,
        write: (EntryInspection, ServedGroup.Shape, inout OutputBuffer) -> Void
    ) {
        guard let location = locate(key, &reply) else { return }
        let served = keyspace.groups[location.group]
        if let entry = served.group.inspect(location.key(in: key), at: now) {
            write(entry, served.shape, &reply.bytes)
        } else {
            reply.bytes.appendNull(version)
        }
    }
}
