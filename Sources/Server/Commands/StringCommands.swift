import CacheCore
import RESP

/// The short way of a plain GET does not come by here: see `ClientConnection+Gets.swift`. What it answers is the same.
enum Get: Command {
    static let name = "get"
    static let syntax = "key"
    static let keys = KeyPositions.first
    static let topic = CommandTopic.string
    static let summary =
        "The value: a JSON object (`returns: row`), the column's bytes (`value`), a JSON array (`rows`). Nil: no such row."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        client.appendText(of: request[1], to: &reply)
    }
}

enum MGet: Command {
    static let name = "mget"
    static let syntax = "key [key ...]"
    static let keys = KeyPositions.allFromFirst
    static let topic = CommandTopic.string
    static let summary =
        "An array in the keys' order: the value, or nil. All loads are under way at once; one that fails makes the whole "
        + "reply its error, which names the key."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        client.appendTexts(of: request, 1..<request.count, to: &reply)
    }
}

enum StrLen: Command {
    static let name = "strlen"
    static let syntax = "key"
    static let keys = KeyPositions.first
    static let topic = CommandTopic.string
    static let summary = "How many bytes `GET` would return; 0: no such row."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        client.appendAnswer(of: request[1], .text, to: &reply) { text, reply, _ in
            reply.bytes.appendInteger(text?.byteCount ?? 0)
        }
    }
}

enum GetRange: Command {
    static let name = "getrange"
    static let syntax = "key start end"
    static let keys = KeyPositions.first
    static let topic = CommandTopic.string
    static let summary = "The bytes of the value from `start` to `end`; negative: counted from its end."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        guard let start = request.integer(at: 2), let end = request.integer(at: 3) else {
            reply.bytes.appendError(ErrorText.notAnInteger)
            return
        }
        client.appendAnswer(of: request[1], .text, to: &reply) { text, reply, _ in
            let count = text?.byteCount ?? 0
            let first = max(0, start < 0 ? count + max(start, -count) : start)
            let last = min(count - 1, end < 0 ? count + max(end, -count - 1) : end)
            guard let text, first <= last else { return reply.bytes.appendBulk("") }
            reply.bytes.appendBulk(text.extracting(first..<last + 1))
        }
    }
}
