import RESP

enum Subscribe: Command {
    static let name = "subscribe"
    static let syntax = "channel [channel ...]"
    static let isForSubscribers = true
    static let inTransaction = WithinTransaction.refused
    static let isRepeatable = false
    static let topic = CommandTopic.pubsub
    static let summary = "For each name `subscribe`, the name, and how many subscriptions the client has."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        client.subscribe(to: .channel, request, word: name, &reply)
    }
}

enum Unsubscribe: Command {
    static let name = "unsubscribe"
    static let syntax = "[channel ...]"
    static let isForSubscribers = true
    static let inTransaction = WithinTransaction.refused
    static let isRepeatable = false
    static let topic = CommandTopic.pubsub
    static let summary = "The same with `unsubscribe`; all of them when none is named."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        client.unsubscribe(from: .channel, request, word: name, &reply)
    }
}

enum PSubscribe: Command {
    static let name = "psubscribe"
    static let syntax = "pattern [pattern ...]"
    static let isForSubscribers = true
    static let inTransaction = WithinTransaction.refused
    static let isRepeatable = false
    static let topic = CommandTopic.pubsub
    static let summary =
        "For each pattern `psubscribe`, the pattern, and how many subscriptions the client has. Patterns are "
        + "those of `SCAN`."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        client.subscribe(to: .pattern, request, word: name, &reply)
    }
}

enum PUnsubscribe: Command {
    static let name = "punsubscribe"
    static let syntax = "[pattern ...]"
    static let isForSubscribers = true
    static let inTransaction = WithinTransaction.refused
    static let isRepeatable = false
    static let topic = CommandTopic.pubsub
    static let summary = "The same with `punsubscribe`; all of them when none is named."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        client.unsubscribe(from: .pattern, request, word: name, &reply)
    }
}

enum PubSub: ContainerCommand {
    static let name = "pubsub"
    static let topic = CommandTopic.pubsub
    static let summary = "Tells what clients subscribed to."

    static let subcommands = [
        Subcommand(
            "channels", "[pattern]",
            "An array of the channels that somebody subscribed to by name, or those that match."
        ) { request, client, reply in
            guard request.count <= 3 else {
                return reply.bytes.appendError(ErrorText.wrongNumberOfArguments("pubsub|channels"))
            }
            let pattern = request.count == 3 ? Glob(request[2]) : nil
            guard request.count == 2 || pattern != nil else { return reply.bytes.appendError(Glob.tooComplex) }
            let channels = client.server.subscriptions.channels.filter { pattern?.matches($0) ?? true }
            reply.bytes.appendArrayHeader(channels.count)
            for channel in channels { reply.bytes.appendBulk(channel.span.bytes) }
        },
        Subcommand("numpat", "How many patterns clients subscribed to.") { _, client, reply in
            reply.bytes.appendInteger(client.server.subscriptions.patternCount)
        },
        Subcommand(
            "numsub", "[channel [channel ...]]", "An array of each channel and how many clients subscribed to it."
        ) { request, client, reply in
            reply.bytes.appendArrayHeader((request.count - 2) * 2)
            for index in 2..<request.count {
                let channel = request[index].withUnsafeBytes { Array($0) }
                reply.bytes.appendBulk(channel.span.bytes)
                reply.bytes.appendInteger(client.server.subscriptions.subscriberCount(of: channel))
            }
        },
        Subcommand("shardchannels", "[pattern]", "An empty array: there are no shards.") { _, _, reply in
            reply.bytes.appendArrayHeader(0)
        },
    ]
}
