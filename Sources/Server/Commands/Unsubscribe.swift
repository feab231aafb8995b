import RESP

/// `UNSUBSCRIBE [channel ...]`: ends subscriptions to channels, all of them when none is named. One reply for each.
enum Unsubscribe: Command {
    static let name = "unsubscribe"
    static let arity = -1
    static let isForSubscribers = true
    static let topic = CommandTopic.pubsub
    static let summary = "Ends subscriptions to channels, or all of them."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        client.unsubscribe(from: .channel, request, word: name, &reply)
    }
}
