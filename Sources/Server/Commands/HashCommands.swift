import CacheCore
import RESP

/// `HGETALL key`: the row's columns and their texts; a null column is left out. Empty when there is no such row.
enum HGetAll: Command {
    static let name = "hgetall"
    static let arity = 2
    static let keys = KeyPositions.first
    static let topic = CommandTopic.hash
    static let summary = "Returns the columns of a row with their texts, loading it when it is not in memory."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        client.appendFields(of: request[1], all: true, to: &reply) { fields, reply, version in
            reply.bytes.appendMapHeader(fields.count, version)
            reply.bytes.append(fields.pairs)
        }
    }
}

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

/// `HMGET key column [column ...]`: the columns' texts in their order; nil for one that is null or does not exist.
enum HMGet: Command {
    static let name = "hmget"
    static let arity = -3
    static let keys = KeyPositions.first
    static let topic = CommandTopic.hash
    static let summary = "Returns several columns of a row, loading it when it is not in memory."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        var columns: [Key] = []
        for index in 2..<request.count { columns.append(Key(copying: request[index])) }
        client.appendFields(of: request[1], to: &reply) { [columns] fields, reply, version in
            reply.bytes.appendArrayHeader(columns.count)
            for column in columns { append(column, of: fields, to: &reply, version) }
        }
    }

    /// Appends one column's text, or the null.
    static func append(
        _ column: Key, of fields: Fields, to reply: inout ReplyBuffer, _ version: ProtocolVersion
    ) {
        if let bulk = fields.bulk(of: column.bytes.span.bytes) {
            reply.bytes.append(bulk)
        } else {
            reply.bytes.appendNull(version)
        }
    }
}
