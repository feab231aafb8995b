import CacheCore
import Groundwork
import RESP

enum Reload: Command {
    static let name = "pgs.reload"
    static let isForAdministrators = true
    static let inTransaction = WithinTransaction.refused
    static let isRepeatable = false
    static let topic = CommandTopic.own
    static let summary =
        "Reads the settings' file again, as SIGHUP does, and tells what changed and what waits for a restart. When there is a "
        + "mistake, that is the error and everything stays as it was. May be kept to `admin_users`."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        client.append(client.server.operations.reload, named: name, to: &reply)
    }
}

enum Reconnect: Command {
    static let name = "pgs.reconnect"
    static let isForAdministrators = true
    static let inTransaction = WithinTransaction.refused
    static let isRepeatable = false
    static let topic = CommandTopic.own
    static let summary =
        "Makes the database connections anew, one after the other, without failing a load; an error when the database takes no "
        + "new one. What tells of changes keeps its connection. May be kept to `admin_users`."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        client.append(client.server.operations.reconnect, named: name, to: &reply)
    }
}

extension ClientConnection {
    /// How long a client waits for an operation.
    private static let patience = Duration.seconds(60)

    /// Begins an operation, and leaves a hole for what it answers.
    fileprivate func append(_ operation: Operations.Operation?, named name: String, to reply: inout ReplyBuffer) {
        guard let operation else {
            return reply.bytes.appendError("ERR \(name.uppercased()) has nothing to do here")
        }
        let hole = Hole(
            token: waits.nextToken, group: nil, ticket: nil, standInKey: nil, deadline: now + Self.patience, use: .text)
        waits.add(hole)
        reply.append(hole)
        let token = hole.token
        operation { [waits] answer in
            waits.deliver(
                answer.map { Value(text: Array($0.utf8)) }.mapError { LoadError(.badKey, $0.message) }, token: token)
        }
    }
}
