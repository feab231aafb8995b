import RESP

/// `QUIT`: OK, then the connection is closed; requests behind it are not looked at.
enum Quit: Command {
    static let name = "quit"
    static let arity = -1
    static let needsNoPassword = true
    static let isForSubscribers = true
    static let topic = CommandTopic.connection
    static let summary = "Closes the connection."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        reply.bytes.appendSimpleString("OK")
        client.phase = .finishing
    }
}
