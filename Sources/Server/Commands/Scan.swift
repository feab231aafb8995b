import CacheCore
import Groundwork
import RESP

/// A key that is in memory from the first call to the last is returned.
enum Scan: Command {
    static let name = "scan"
    static let syntax = "cursor [MATCH pattern] [COUNT count] [TYPE type]"
    static let topic = CommandTopic.generic
    static let summary =
        "The next cursor and some keys in memory. Begin with 0, end when it is 0 again. `COUNT` is at most 1000; the types "
        + "are those of `TYPE`. Never loads."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        guard let cursor = request.integer(at: 1), cursor >= 0 else {
            reply.bytes.appendError("ERR invalid cursor")
            return
        }
        guard let options = ScanOptions(request, from: 2, &reply) else { return }
        let (keys, next) = page(client.keyspace, from: cursor, options, at: client.now)
        reply.bytes.appendArrayHeader(2)
        reply.bytes.appendBulk(decimal: next)
        reply.bytes.appendArrayHeader(keys.count)
        for key in keys { reply.bytes.appendBulk(key.span.bytes) }
    }

    /// Some keys as they are on the wire. The cursor is the group's own, times the number of groups, plus the group's index.
    ///
    /// They begin with the prefix that `key_prefix` takes away when the pattern does: whoever asks for keys by the prefixed name
    /// looks for them by that name.
    private static func page(
        _ keyspace: Keyspace, from cursor: Int, _ options: ScanOptions, at now: Instant
    ) -> (keys: [[UInt8]], next: Int) {
        let groups = keyspace.groups
        guard !groups.isEmpty else { return ([], 0) }
        let prefix = options.pattern?.bytes.starts(with: keyspace.keyPrefix) == true ? keyspace.keyPrefix : []
        var index = cursor % groups.count
        var within = cursor / groups.count
        var keys: [[UInt8]] = []
        var seen = 0
        while index < groups.count, seen < options.count {
            let group = groups[index].group
            let page = group.keys(from: within, count: options.count - seen, at: now)
            seen += page.keys.count
            if options.shows(groups[index].shape) {
                keys += page.keys.map { prefix + group.wireKey($0) }.filter { options.shows($0) }
            }
            let (next, overflow) = page.next.multipliedReportingOverflow(by: groups.count)
            if page.next != 0, !overflow, next <= Int.max - index { return (keys, next + index) }
            index += 1
            within = 0
        }
        return (keys, index < groups.count ? index : 0)
    }
}

/// What `SCAN` and `HSCAN` take behind the cursor.
struct ScanOptions {
    /// More keys than this are not returned at once, whatever is asked for.
    private static let most = 1000

    private(set) var count = 10
    private(set) var pattern: Glob?
    private(set) var hasValues = true
    private var type: CommandWord?

    /// Nil: the request has something else, and the error is appended.
    init?(_ request: Request, from first: Int, _ reply: inout ReplyBuffer) {
        var index = first
        while index < request.count {
            let option = request.word(at: index)
            let hasValue = index + 1 < request.count
            if option == "match", hasValue {
                guard let pattern = Glob(request[index + 1]) else {
                    reply.bytes.appendError(Glob.tooComplex)
                    return nil
                }
                self.pattern = pattern
                index += 2
            } else if option == "count", hasValue {
                guard let number = request.integer(at: index + 1) else {
                    reply.bytes.appendError(ErrorText.notAnInteger)
                    return nil
                }
                guard number > 0 else {
                    reply.bytes.appendError(ErrorText.syntax)
                    return nil
                }
                count = min(number, Self.most)
                index += 2
            } else if option == "type", hasValue, first == 2 {
                type = request.word(at: index + 1)
                index += 2
            } else if option == "novalues", first == 3 {
                hasValues = false
                index += 1
            } else {
                reply.bytes.appendError(ErrorText.syntax)
                return nil
            }
        }
    }

    /// Whether a name is one that was asked for.
    func shows(_ name: [UInt8]) -> Bool { pattern?.matches(name) ?? true }

    /// Whether a group's keys are of the type that was asked for.
    func shows(_ shape: ServedGroup.Shape) -> Bool { type.map { $0 == shape.redisType } ?? true }
}
