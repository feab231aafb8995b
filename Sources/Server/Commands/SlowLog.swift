package import CacheCore
import Groundwork
import RESP

/// What is slow here are loads, never commands.
enum SlowLog: ContainerCommand {
    static let name = "slowlog"
    static let topic = CommandTopic.server
    static let summary = "Tells of the loads that took longer than `slowlog.longer_than`."

    static let subcommands = [
        Subcommand(
            "get", "[count]",
            "The last `count` (10; -1: all) slow loads, newest first. Of each what Redis tells of a slow command: a number, "
                + "the time of day in seconds, how long it took in microseconds, an array of texts, and the socket and a "
                + "name, which is empty. The texts are `LOAD`, the key, `queue`, the microseconds before it was the "
                + "load's turn within `max_loads`, `connection`, those until it was sent, `database`, those until it "
                + "was answered, and when it brought no answer `error` and the kind of error.", get),
        Subcommand("len", "How many slow loads are kept.") { _, client, reply in
            reply.bytes.appendInteger(client.server.information.slowLoads?.keptCount ?? 0)
        },
        Subcommand("reset", "`OK`; those that are kept are forgotten.") { _, client, reply in
            client.server.information.slowLoads?.reset()
            reply.bytes.appendSimpleString("OK")
        },
    ]

    private static let get: Subcommand.Body = { request, client, reply in
        guard request.count <= 3, let count = request.count == 3 ? request.integer(at: 2) : 10, count >= -1 else {
            return reply.bytes.appendError("ERR count should be greater than or equal to -1")
        }
        let loads = client.server.information.slowLoads?.last(count < 0 ? .max : count) ?? []
        let (now, wallClock) = (Instant.now(), WallClock.now())
        reply.bytes.appendArrayHeader(loads.count)
        for load in loads {
            let texts = load.texts
            reply.bytes.appendArrayHeader(6)
            reply.bytes.appendInteger(load.id)
            let age = max(0, now.nanoseconds - load.ended.nanoseconds)
            reply.bytes.appendInteger((wallClock.milliseconds - Int(age / 1_000_000)) / 1000)
            reply.bytes.appendInteger(Int(load.total / 1000))
            reply.bytes.appendArrayHeader(texts.count)
            for text in texts { reply.bytes.appendBulk(text.span.bytes) }
            reply.bytes.appendBulk("\(client.server.settings.socket):0")
            reply.bytes.appendBulk("")
        }
    }
}

extension SlowLoad {
    /// The key as it is on the wire, as far as it may be told.
    package var wireKey: [UInt8] {
        let name = Array(group.utf8)
        guard let key else { return name + Array(":(redacted)".utf8) }
        return key.isEmpty ? name : name + [UInt8(ascii: ":")] + key
    }

    /// What stands for a command's arguments.
    fileprivate var texts: [[UInt8]] {
        let waits = [
            "queue", "\(queue / 1000)", "connection", "\(connection / 1000)", "database", "\(database / 1000)",
        ]
        let failure = error.map { ["error", "\($0)"] } ?? []
        return [Array("LOAD".utf8), wireKey] + (waits + failure).map { Array($0.utf8) }
    }
}
