import CacheCore
import RESP

/// `EXISTS key [key ...]`: how many of the keys have a row; one that is named twice counts twice. Loads what is not in
/// memory, and answers with the error when one of the loads fails.
enum Exists: Command {
    static let name = "exists"
    static let arity = -2
    static let keys = KeyPositions.allFromFirst
    static let topic = CommandTopic.generic
    static let summary = "Returns how many of the keys have a row, loading those that are not in memory."

    /// Counts over the keys of one request.
    private final class Tally {
        var found = 0
        var open = 0
        var error: String?

        func append(to reply: inout ReplyBuffer) {
            if let error { reply.bytes.appendError(error) } else { reply.bytes.appendInteger(found) }
        }
    }

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        let tally = Tally()
        let mark = reply.mark
        for index in 1..<request.count {
            guard let place = client.locate(request[index], &reply) else {
                // The error stays as the one reply; loads that were started go on for others.
                client.drop(&reply, from: mark)
                _ = client.locate(request[index], &reply)
                return
            }
            var count = 0
            let lookup = client.lookup(request[index], at: place, .none, count: &count)
            let key = request[index].extracting(droppingFirst: place.keyOffset)
            let hit = client.settle(lookup, of: key, place, &reply) { outcome, reply, _ in
                switch outcome {
                case .success(let value): tally.found += value.isMissing ? 0 : 1
                case .failure(let error): tally.error = tally.error ?? error.reply
                }
                tally.open -= 1
                if tally.open == 0 { tally.append(to: &reply) }
            }
            switch hit {
            case nil: tally.open += 1
            case .negative?: break
            case .copied?, .large?: tally.found += 1
            }
        }
        if tally.open == 0 { tally.append(to: &reply) }
    }
}
