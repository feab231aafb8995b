import CacheCore
import RESP

// A transaction is requests that are executed one after the other, with nothing of the same client in between. What they ask
// is asked when EXEC comes, each for itself: they see one another's rows as two GETs do.

/// The requests that a client sent since `MULTI`.
struct Transaction {
    /// As they came, one behind the other.
    private(set) var bytes: [UInt8] = []
    private(set) var count = 0
    /// Whether one was refused: then none is executed.
    var isAborted = false

    /// Keeps a request, unless all of them would take more than `limit` bytes.
    mutating func append(_ request: RawSpan, limit: Int) -> Bool {
        guard bytes.count + request.byteCount <= limit else { return false }
        request.withUnsafeBytes { bytes.append(contentsOf: $0) }
        count += 1
        return true
    }
}

enum Multi: Command {
    static let name = "multi"
    static let inTransaction = WithinTransaction.executed
    static let topic = CommandTopic.transactions
    static let summary = "`OK`; each request behind it is answered by `QUEUED`, until `EXEC`."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        guard client.transaction == nil else {
            return reply.bytes.appendError("ERR MULTI calls can not be nested")
        }
        client.transaction = Transaction()
        reply.bytes.appendSimpleString("OK")
    }
}

enum Exec: Command {
    static let name = "exec"
    static let inTransaction = WithinTransaction.executed
    static let topic = CommandTopic.transactions
    static let summary =
        "An array of the queued requests' replies. Nil when a watched key was invalidated; an `EXECABORT` error when a "
        + "request was refused."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        guard let transaction = client.transaction else { return reply.bytes.appendError("ERR EXEC without MULTI") }
        let isTouched = client.watchers.isTouched(client.id)
        client.endTransaction()
        if transaction.isAborted {
            reply.bytes.appendError("EXECABORT Transaction discarded because of previous errors.")
        } else if isTouched {
            reply.bytes.appendNullArray(client.version)
        } else {
            reply.bytes.appendArrayHeader(transaction.count)
            client.execute(transaction, &reply)
        }
    }
}

enum Discard: Command {
    static let name = "discard"
    static let inTransaction = WithinTransaction.executed
    static let topic = CommandTopic.transactions
    static let summary = "`OK`; the queued requests are forgotten, and so are the watched keys."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        guard client.transaction != nil else { return reply.bytes.appendError("ERR DISCARD without MULTI") }
        client.endTransaction()
        reply.bytes.appendSimpleString("OK")
    }
}

enum Watch: Command {
    static let name = "watch"
    static let syntax = "key [key ...]"
    static let keys = KeyPositions.allFromFirst
    static let readsValues = false
    static let inTransaction = WithinTransaction.executed
    static let topic = CommandTopic.transactions
    static let summary =
        "`OK`; the next `EXEC` does nothing if one of the keys is invalidated before: by the database, `DEL` or a flush. "
        + "Expiry and reloads do not count. Never loads."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        guard client.transaction == nil else {
            return reply.bytes.appendError("ERR WATCH inside MULTI is not allowed")
        }
        var keys: [WatchedKey] = []
        for index in 1..<request.count {
            guard let location = client.locate(request[index], &reply) else { return }
            let key = location.key(in: request[index])
            guard location.isTold(of: key) else {
                return reply.bytes.appendError(ErrorText.unwatchable(request[index]))
            }
            keys.append(WatchedKey(key.withUnsafeBytes { Array($0) }, of: client.keyspace.groups[location.group].group))
        }
        guard client.mayKeep(keys.reduce(0) { $0 + Watchers.size(of: $1) }) else {
            return reply.bytes.appendError(ErrorText.tooMuchKept)
        }
        guard let added = client.watchers.watch(keys, for: client.id) else {
            return reply.bytes.appendError("ERR a client's watched keys may take at most \(Watchers.limit) bytes")
        }
        client.keeps(added)
        reply.bytes.appendSimpleString("OK")
    }
}

enum Unwatch: Command {
    static let name = "unwatch"
    static let topic = CommandTopic.transactions
    static let summary = "`OK`; the watched keys are forgotten."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        client.forgetWatched()
        reply.bytes.appendSimpleString("OK")
    }
}

extension ClientConnection {
    /// Forgets the transaction, and the watched keys.
    func endTransaction() {
        keeps(-(transaction?.bytes.count ?? 0))
        transaction = nil
        forgetWatched()
    }

    /// Forgets the watched keys.
    func forgetWatched() {
        keeps(-watchers.forget(id))
    }

    /// Keeps a request of a transaction for later.
    func enqueue(_ bytes: RawSpan, _ reply: inout ReplyBuffer) {
        let limit = server.settings.maxRequest
        guard mayKeep(bytes.byteCount) else { return reject(ErrorText.tooMuchKept, &reply) }
        guard transaction?.append(bytes, limit: limit) == true else {
            return reject("ERR a transaction may take at most max_request (\(limit) bytes)", &reply)
        }
        keeps(bytes.byteCount)
        reply.bytes.appendSimpleString("QUEUED")
    }

    /// Executes the requests of a transaction, in order. It is one reply, so what exceeds the bound on one is an error in its
    /// place.
    fileprivate func execute(_ transaction: Transaction, _ reply: inout ReplyBuffer) {
        let limit = server.settings.maxOutput
        let bytes = transaction.bytes.span.bytes
        var parser = RequestParser(limits: buffers.limits)
        var offset = 0
        var left = transaction.count
        executesTransaction = true
        defer { executesTransaction = false }
        while left > 0 {
            let rest = bytes.extracting(droppingFirst: offset)
            // They were whole requests when they came.
            guard case .request(let count)? = try? parser.parse(rest) else { break }
            if replies.byteCount + reply.byteCount > limit {
                reply.bytes.appendError(ErrorText.replyTooLarge(limit: limit))
            } else {
                execute(parser.request(in: rest), rest.extracting(first: count), &reply)
                if reply.byteCount >= Self.transactionThreshold { transmit(&reply) }
            }
            offset += count
            left -= 1
        }
    }

    /// How much is sent before the next request of a transaction is executed.
    private static let transactionThreshold = 16 << 10
}
