import RESP

enum Ping: Command {
    static let name = "ping"
    static let syntax = "[text]"
    static let isForSubscribers = true
    static let topic = CommandTopic.connection
    static let summary = "`PONG`, or the text."

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

enum Echo: Command {
    static let name = "echo"
    static let syntax = "text"
    static let topic = CommandTopic.connection
    static let summary = "The text."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        reply.bytes.appendBulk(request[1])
    }
}

enum Select: Command {
    static let name = "select"
    static let syntax = "index"
    static let topic = CommandTopic.connection
    static let summary = "`OK` for 0, the one database there is."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        switch request.integer(at: 1) {
        case 0?: reply.bytes.appendSimpleString("OK")
        case nil: reply.bytes.appendError("ERR value is not an integer or out of range")
        case _?: reply.bytes.appendError("ERR DB index is out of range: there is only database 0")
        }
    }
}

enum Reset: Command {
    static let name = "reset"
    static let needsNoPassword = true
    static let isForSubscribers = true
    static let inTransaction = WithinTransaction.executed
    static let topic = CommandTopic.connection
    static let summary =
        "`RESET`; the connection is as new: RESP2, without name and subscriptions, to be authenticated again."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        let context = client.server
        client.version = .resp2
        client.keeps(-client.subscriptions.byteCount)
        let removals = client.subscriptions.removals
        client.subscriptions = Subscriptions()
        client.endTransaction()
        client.subscribers.update(client, removals)
        Client.keep(nil, client)
        client.isAuthenticated = context.settings.password == nil
        context.directory.update(client.id) { record in
            record.name = ""
            record.version = 2
        }
        reply.bytes.appendSimpleString("RESET")
    }
}

enum Quit: Command {
    static let name = "quit"
    static let needsNoPassword = true
    static let isForSubscribers = true
    static let inTransaction = WithinTransaction.executed
    static let topic = CommandTopic.connection
    static let summary = "`OK`, then the connection is closed; requests behind it are not looked at."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        reply.bytes.appendSimpleString("OK")
        client.phase = .finishing
    }
}
