import RESP

/// `HGETALL key`: the row's columns and their texts; a null column is left out. Empty when there is no such row.
enum HGetAll: Command {
    static let name = "hgetall"
    static let arity = 2
    static let keys = KeyPositions.first
    static let topic = CommandTopic.hash
    static let summary = "Returns the columns of a row with their texts, loading it when it is not in memory."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        client.appendFields(of: request[1], to: &reply) { fields, reply, version in
            reply.bytes.appendMapHeader(fields.count, version)
            reply.bytes.append(fields.pairs)
        }
    }
}
