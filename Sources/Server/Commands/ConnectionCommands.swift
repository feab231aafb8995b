import RESP

/// `PING [text]`: PONG, or the text. In RESP2 a client that subscribed gets an array, which no message looks like.
enum Ping: Command {
    static let name = "ping"
    static let arity = -1
    static let isForSubscribers = true
    static let topic = CommandTopic.connection
    static let summary = "Returns PONG, or the text."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        if request.count <= 2, client.isInSubscribedMode {
            reply.bytes.appendArrayHeader(2)
            reply.bytes.appendBulk("pong")
            if request.count == 2 { reply.bytes.appendBulk(request[1]) } else { reply.bytes.appendBulk("") }
            return
        }
        switch request.count {
        case 1: reply.bytes.appendSimpleString("PONG")
        case 2: reply.bytes.appendBulk(request[1])
        default: reply.bytes.appendError(ErrorText.wrongNumberOfArguments(name))
        }
    }
}

/// `ECHO text`: the text.
enum Echo: Command {
    static let name = "echo"
    static let arity = 2
    static let topic = CommandTopic.connection
    static let summary = "Returns the text."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        reply.bytes.appendBulk(request[1])
    }
}

/// `SELECT 0`: the one database there is.
enum Select: Command {
    static let name = "select"
    static let arity = 2
    static let topic = CommandTopic.connection
    static let summary = "Selects the one database there is, 0."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        switch request.integer(at: 1) {
        case 0?: reply.bytes.appendSimpleString("OK")
        case nil: reply.bytes.appendError("ERR value is not an integer or out of range")
        case _?: reply.bytes.appendError("ERR DB index is out of range: there is only database 0")
        }
    }
}

/// `RESET`: the connection as new: RESP2, without name and subscriptions, to be authenticated again.
enum Reset: Command {
    static let name = "reset"
    static let arity = 1
    static let needsNoPassword = true
    static let isForSubscribers = true
    static let topic = CommandTopic.connection
    static let summary = "Makes the connection as new."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        let context = client.server
        client.version = .resp2
        client.subscriptions = Subscriptions()
        client.subscribers.update(client)
        client.isAuthenticated = context.settings.password == nil
        context.directory.update(client.id) { record in
            record.name = ""
            record.version = 2
        }
        reply.bytes.appendSimpleString("RESET")
    }
}

/// `QUIT`: OK, then the connection is closed; requests behind it are not looked at.
enum Quit: Command {
    static let name = "quit"
    static let arity = -1
    static let needsNoPassword = true
    static let isForSubscribers = true
    static let topic = CommandTopic.connection
    static let summary = "Closes the connection."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        reply.bytes.appendSimpleString("OK")
        client.phase = .finishing
    }
}
