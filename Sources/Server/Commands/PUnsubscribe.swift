import RESP

/// `PUNSUBSCRIBE [pattern ...]`: ends subscriptions to patterns, all of them when none is named. One reply for each.
enum PUnsubscribe: Command {
    static let name = "punsubscribe"
    static let arity = -1
    static let isForSubscribers = true
    static let topic = CommandTopic.pubsub
    static let summary = "Ends subscriptions to patterns, or all of them."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        client.unsubscribe(from: .pattern, request, word: name, &reply)
    }
}
