import RESP

/// `UNLINK key [key ...]`: the same as `DEL`.
enum Unlink: Command {
    static let name = "unlink"
    static let arity = Del.arity
    static let keys = Del.keys
    static let topic = Del.topic
    static let summary = Del.summary

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        Del.run(request, for: client, reply: &reply)
    }
}
