import RESP

/// `SUBSCRIBE channel [channel ...]`: subscribes to channels of keyspace events, from now on. One reply for each.
enum Subscribe: Command {
    static let name = "subscribe"
    static let arity = -2
    static let isForSubscribers = true
    static let topic = CommandTopic.pubsub
    static let summary = "Subscribes to channels of keyspace events."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        client.subscribe(to: .channel, request, word: name, &reply)
    }
}
