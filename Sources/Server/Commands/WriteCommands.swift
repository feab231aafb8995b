import RESP

// Reads that have seen what the client wrote: after its commit it asks PostgreSQL for pg_current_wal_insert_lsn(), and here for
// an answer from a state that has seen that position.

enum GetAfter: Command {
    static let name = "pgs.get"
    static let syntax = "key AFTER lsn"
    static let keys = KeyPositions.first
    static let readsValues = true
    static let topic = CommandTopic.own
    static let summary =
        "As `GET`, from a state that has seen all that was committed up to `lsn`, which is what "
        + "`pg_current_wal_insert_lsn()` said after the commit. Waits for that at most `load_timeout`, then loads anew; so it "
        + "does at once in a group without `invalidate_on`, and while nobody tells of changes."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        guard let catchUp = client.catchUp(request, &reply) else { return }
        client.appendText(of: request[1], catchUp, to: &reply)
        catchUp.start(client.server.changes)
    }
}

enum MGetAfter: Command {
    static let name = "pgs.mget"
    static let syntax = "key [key ...] AFTER lsn"
    static let keys = KeyPositions.allButLastTwo
    static let readsValues = true
    static let topic = CommandTopic.own
    static let summary = "As `MGET`, with each key as by `PGS.GET`."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        guard let catchUp = client.catchUp(request, &reply) else { return }
        client.appendTexts(of: request, 1..<request.count - 2, catchUp, to: &reply)
        catchUp.start(client.server.changes)
    }
}

enum HGetAllAfter: Command {
    static let name = "pgs.hgetall"
    static let syntax = "key AFTER lsn"
    static let keys = KeyPositions.first
    static let readsValues = true
    static let topic = CommandTopic.own
    static let summary = "As `HGETALL`, with the key as by `PGS.GET`."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        guard let catchUp = client.catchUp(request, &reply) else { return }
        client.appendFields(of: request[1], catchUp, to: &reply, write: HGetAll.write)
        catchUp.start(client.server.changes)
    }
}
