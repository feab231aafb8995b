import RESP

/// `RESET`: the connection as new: RESP2, without name and subscriptions, to be authenticated again.
enum Reset: Command {
    static let name = "reset"
    static let arity = 1
    static let needsNoPassword = true
    static let isForSubscribers = true
    static let topic = CommandTopic.connection
    static let summary = "Makes the connection as new."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        let context = client.clients.context
        client.version = .resp2
        client.subscriptions = Subscriptions()
        client.clients.subscribers.update(client)
        client.isAuthenticated = context.settings.password == nil
        context.directory.update(client.id) { record in
            record.name = ""
            record.version = 2
        }
        reply.bytes.appendSimpleString("RESET")
    }
}
