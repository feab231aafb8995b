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
