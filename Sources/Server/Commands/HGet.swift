import CacheCore
import RESP

/// `HGET key column`: one column's text; nil when it is null, or there is no such column or row.
enum HGet: Command {
    static let name = "hget"
    static let arity = 3
    static let keys = KeyPositions.first
    static let topic = CommandTopic.hash
    static let summary = "Returns one column of a row, loading it when it is not in memory."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        let column = Key(copying: request[2])
        client.appendFields(of: request[1], to: &reply) { fields, reply, version in
            HMGet.append(column, of: fields, to: &reply, version)
        }
    }
}
