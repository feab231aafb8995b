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
