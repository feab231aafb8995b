import CacheCore
import Groundwork
import RESP

// A row is a hash: its columns and their texts. A null column is not in it, as Redis' hashes have no null.

enum HGetAll: Command {
    static let name = "hgetall"
    static let syntax = "key"
    static let keys = KeyPositions.first
    static let topic = CommandTopic.hash
    static let summary =
        "The row's columns and their texts: a map in RESP3, a flat array in RESP2. A null column is left out; empty: no "
        + "such row."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        client.appendFields(of: request[1], all: true, to: &reply, write: write)
    }

    static func write(_ fields: RowFields, to reply: inout ReplyBuffer, _ version: ProtocolVersion) {
        reply.bytes.appendMapHeader(fields.count, version)
        reply.bytes.append(fields.pairs)
    }
}

enum HGet: Command {
    static let name = "hget"
    static let syntax = "key column"
    static let keys = KeyPositions.first
    static let topic = CommandTopic.hash
    static let summary = "One column's text. Nil: null, no such column, or no such row."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        let column = Key(copying: request[2])
        client.appendFields(of: request[1], to: &reply) { fields, reply, version in
            HMGet.append(column, of: fields, to: &reply, version)
        }
    }
}

enum HMGet: Command {
    static let name = "hmget"
    static let syntax = "key column [column ...]"
    static let keys = KeyPositions.first
    static let topic = CommandTopic.hash
    static let summary = "An array of texts, or nil, in the columns' order."

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
        _ column: Key, of fields: RowFields, to reply: inout ReplyBuffer, _ version: ProtocolVersion
    ) {
        if let bulk = fields.bulk(of: column.bytes.span.bytes) {
            reply.bytes.append(bulk)
        } else {
            reply.bytes.appendNull(version)
        }
    }
}

enum HExists: Command {
    static let name = "hexists"
    static let syntax = "key column"
    static let keys = KeyPositions.first
    static let topic = CommandTopic.hash
    static let summary = "1: the row has the column, and it is not null; else 0."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        let column = Key(copying: request[2])
        client.appendFields(of: request[1], to: &reply) { fields, reply, _ in
            reply.bytes.appendInteger(fields.bulk(of: column.bytes.span.bytes) == nil ? 0 : 1)
        }
    }
}

enum HLen: Command {
    static let name = "hlen"
    static let syntax = "key"
    static let keys = KeyPositions.first
    static let topic = CommandTopic.hash
    static let summary = "How many columns of the row are not null; 0: no such row."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        client.appendFields(of: request[1], to: &reply) { fields, reply, _ in
            reply.bytes.appendInteger(fields.count)
        }
    }
}

enum HKeys: Command {
    static let name = "hkeys"
    static let syntax = "key"
    static let keys = KeyPositions.first
    static let topic = CommandTopic.hash
    static let summary = "An array of the names of the row's columns that are not null."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        client.appendFields(of: request[1], to: &reply) { fields, reply, _ in
            reply.bytes.appendArrayHeader(fields.count)
            fields.forEach { name, _ in reply.bytes.appendBulk(name) }
        }
    }
}

enum HVals: Command {
    static let name = "hvals"
    static let syntax = "key"
    static let keys = KeyPositions.first
    static let topic = CommandTopic.hash
    static let summary = "An array of the texts of the row's columns that are not null."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        client.appendFields(of: request[1], to: &reply) { fields, reply, _ in
            reply.bytes.appendArrayHeader(fields.count)
            fields.forEach { _, text in reply.bytes.appendBulk(text) }
        }
    }
}

enum HStrLen: Command {
    static let name = "hstrlen"
    static let syntax = "key column"
    static let keys = KeyPositions.first
    static let topic = CommandTopic.hash
    static let summary = "How many bytes the column's text has; 0: null, no such column, or no such row."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        let column = Key(copying: request[2])
        client.appendFields(of: request[1], to: &reply) { fields, reply, _ in
            var count = 0
            fields.forEach { name, text in
                if name.hasSameBytes(as: column.bytes.span.bytes) { count = text.byteCount }
            }
            reply.bytes.appendInteger(count)
        }
    }
}

enum HScan: Command {
    static let name = "hscan"
    static let syntax = "key cursor [MATCH pattern] [COUNT count] [NOVALUES]"
    static let keys = KeyPositions.first
    static let topic = CommandTopic.hash
    static let summary = "The cursor 0 and all columns with their texts at once, or those that match."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        guard let cursor = request.integer(at: 2), cursor >= 0 else {
            reply.bytes.appendError("ERR invalid cursor")
            return
        }
        guard let options = ScanOptions(request, from: 3, &reply) else { return }
        client.appendFields(of: request[1], to: &reply) { fields, reply, _ in
            var shown: [(name: [UInt8], text: [UInt8])] = []
            // Everything came with the first cursor.
            if cursor == 0 {
                fields.forEach { name, text in
                    let name = name.withUnsafeBytes { Array($0) }
                    if options.shows(name) { shown.append((name, text.withUnsafeBytes { Array($0) })) }
                }
            }
            reply.bytes.appendArrayHeader(2)
            reply.bytes.appendBulk("0")
            reply.bytes.appendArrayHeader(options.hasValues ? shown.count * 2 : shown.count)
            for (name, text) in shown {
                reply.bytes.appendBulk(name.span.bytes)
                if options.hasValues { reply.bytes.appendBulk(text.span.bytes) }
            }
        }
    }
}
