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

/// `MGET key [key ...]`: the values in the keys' order; nil for one without a row. All loads are under way at once, one for each
/// key. When one fails the reply is its error, which names the key: clients take an error inside the array for a value.
enum MGet: Command {
    static let name = "mget"
    static let arity = -2
    static let keys = KeyPositions.allFromFirst
    static let topic = CommandTopic.string
    static let summary = "Returns the values of several keys, loading those that are not in memory."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        client.appendTexts(of: request, from: 1, to: &reply)
    }
}
