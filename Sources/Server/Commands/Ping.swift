import RESP

/// `PING [text]`: PONG, or the text. In RESP2 a client that subscribed gets an array, which no message looks like.
enum Ping: Command {
    static let name = "ping"
    static let arity = -1
    static let isForSubscribers = true
    static let topic = CommandTopic.connection
    static let summary = "Returns PONG, or the text."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        if request.count <= 2, client.isInSubscribedMode {
            reply.bytes.appendArrayHeader(2)
            reply.bytes.appendBulk("pong")
            if request.count == 2 { reply.bytes.appendBulk(request[1]) } else { reply.bytes.appendBulk("") }
            return
        }
        switch request.count {
        case 1: reply.bytes.appendSimpleString("PONG")
        case 2: reply.bytes.appendBulk(request[1])
        default: reply.bytes.appendError(ErrorText.wrongNumberOfArguments(name))
        }
    }
}
