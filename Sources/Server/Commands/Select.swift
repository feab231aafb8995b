import RESP

/// `SELECT 0`: the one database there is.
enum Select: Command {
    static let name = "select"
    static let arity = 2
    static let topic = CommandTopic.connection
    static let summary = "Selects the one database there is, 0."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        switch request.integer(at: 1) {
        case 0?: reply.bytes.appendSimpleString("OK")
        case nil: reply.bytes.appendError("ERR value is not an integer or out of range")
        case _?: reply.bytes.appendError("ERR DB index is out of range: there is only database 0")
        }
    }
}
