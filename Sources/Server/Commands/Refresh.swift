import RESP

/// `PGS.REFRESH key`: loads now, whatever is in memory, and answers as `GET` does. Those who ask at the same time share the
/// load.
enum Refresh: Command {
    static let name = "pgs.refresh"
    static let arity = 2
    static let keys = KeyPositions.first
    static let topic = CommandTopic.string
    static let summary = "Loads a key now, although it may be in memory, and returns its value."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        client.appendRefreshedText(of: request[1], to: &reply)
    }
}
