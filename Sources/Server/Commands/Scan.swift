import CacheCore
import RESP

/// `SCAN cursor [MATCH pattern] [COUNT n] [TYPE t]`: some keys in memory, and the cursor to go on from; 0: all were seen. A
/// key that is in memory from the first call to the last is returned.
enum Scan: Command {
    static let name = "scan"
    static let arity = -2
    static let topic = CommandTopic.generic
    static let summary = "Goes through the keys in memory, some at a time. Never loads."

    /// More keys than this are not returned at once, whatever is asked for.
    private static let most = 1000

    private struct Options {
        var count = 10
        var pattern: [UInt8]?
        var isOtherType = false

        /// Nil: not what `SCAN` takes.
        init?(_ request: Request) {
            var index = 2
            while index < request.count {
                guard index + 1 < request.count else { return nil }
                let option = request.word(at: index)
                if option == "match" {
                    pattern = request[index + 1].withUnsafeBytes { Array($0) }
                } else if option == "count" {
                    guard let number = request.integer(at: index + 1), number > 0 else { return nil }
                    count = min(number, Scan.most)
                } else if option == "type" {
                    isOtherType = request.word(at: index + 1) != "string"
                } else {
                    return nil
                }
                index += 2
            }
        }
    }

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        guard let cursor = request.integer(at: 1), cursor >= 0 else {
            reply.bytes.appendError("ERR invalid cursor")
            return
        }
        guard let options = Options(request) else {
            reply.bytes.appendError("ERR syntax error")
            return
        }
        let (keys, next) = page(client, from: cursor, count: options.count)
        let shown =
            options.isOtherType ? [] : keys.filter { key in options.pattern.map { Glob.matches(key, $0) } ?? true }
        reply.bytes.appendArrayHeader(2)
        reply.bytes.appendBulk(decimal: next)
        reply.bytes.appendArrayHeader(shown.count)
        for key in shown { reply.bytes.appendBulk(key.span.bytes) }
    }

    /// Some keys as they are on the wire. The cursor is the group's own, times the number of groups, plus the group's index.
    private static func page(_ client: ClientConnection, from cursor: Int, count: Int) -> (keys: [[UInt8]], next: Int) {
        let groups = client.keyspace.groups
        guard !groups.isEmpty else { return ([], 0) }
        var index = cursor % groups.count
        var within = cursor / groups.count
        var keys: [[UInt8]] = []
        while index < groups.count, keys.count < count {
            let group = groups[index].group
            let page = group.keys(from: within, count: count - keys.count, at: client.now)
            keys += page.keys.map { group.wireKey($0) }
            let (next, overflow) = page.next.multipliedReportingOverflow(by: groups.count)
            if page.next != 0, !overflow, next <= Int.max - index { return (keys, next + index) }
            index += 1
            within = 0
        }
        return (keys, index < groups.count ? index : 0)
    }
}
