import RESP

/// `GET key`: the value, from memory or loaded; nil when there is no such row.
enum Get: Command {
    static let name = "get"
    static let arity = 2
    static let keys = KeyPositions.first
    static let topic = CommandTopic.string
    static let summary = "Returns the value of a key, loading it when it is not in memory."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        client.appendText(of: request[1], to: &reply)
    }
}

/// `MGET key [key ...]`: the values in the keys' order; nil for one without a row, and an error in the place of one whose
/// load failed. All loads are under way at once.
enum MGet: Command {
    static let name = "mget"
    static let arity = -2
    static let keys = KeyPositions.allFromFirst
    static let topic = CommandTopic.string
    static let summary = "Returns the values of several keys, loading those that are not in memory."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        let mark = reply.mark
        let limit = client.clients.context.settings.maxOutput
        reply.bytes.appendArrayHeader(request.count - 1)
        var index = 1
        while index < request.count {
            index += client.appendTexts(of: request, index..<request.count, to: &reply)
            if reply.byteCount(from: mark) > limit {
                client.drop(&reply, from: mark)
                reply.bytes.appendError(ErrorText.replyTooLarge(limit: limit))
                return
            }
        }
    }
}
