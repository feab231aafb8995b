import RESP

/// `PSUBSCRIBE pattern [pattern ...]`: subscribes to the channels of keyspace events that match patterns, from now on.
/// One reply for each.
enum PSubscribe: Command {
    static let name = "psubscribe"
    static let arity = -2
    static let isForSubscribers = true
    static let topic = CommandTopic.pubsub
    static let summary = "Subscribes to the channels of keyspace events that match patterns."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        client.subscribe(to: .pattern, request, word: name, &reply)
    }
}
