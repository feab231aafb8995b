import RESP

/// `PING [text]`: PONG, or the text.
enum Ping: Command {
    static let name = "ping"
    static let arity = -1
    static let topic = CommandTopic.connection
    static let summary = "Returns PONG, or the text."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        switch request.count {
        case 1: reply.bytes.appendSimpleString("PONG")
        case 2: reply.bytes.appendBulk(request[1])
        default: reply.bytes.appendError(ErrorText.wrongNumberOfArguments(name))
        }
    }
}
