import RESP

/// `FLUSHDB [ASYNC|SYNC]`: the same as `FLUSHALL`, since there is one database.
enum FlushDB: Command {
    static let name = "flushdb"
    static let arity = FlushAll.arity
    static let topic = FlushAll.topic
    static let summary = FlushAll.summary

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        FlushAll.run(request, for: client, reply: &reply)
    }
}
