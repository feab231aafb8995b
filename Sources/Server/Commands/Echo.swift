import RESP

/// `ECHO text`: the text.
enum Echo: Command {
    static let name = "echo"
    static let arity = 2
    static let topic = CommandTopic.connection
    static let summary = "Returns the text."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        reply.bytes.appendBulk(request[1])
    }
}
