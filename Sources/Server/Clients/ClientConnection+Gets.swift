import CacheCore
import Groundwork
import RESP

/// A key on its way to its answer.
struct PreparedKey: BitwiseCopyable {
    let location: KeyLocation
    let hash: KeyHash

    /// Finds the group of a key on the wire; nil when it names nothing.
    @inline(__always)
    init?(_ key: RawSpan, in keyspace: Keyspace, _ texts: RewrittenKeys) {
        guard let location = try? keyspace.locate(key, texts) else { return nil }
        self.location = location
        hash = KeyHash(location.key(in: key))
    }

    /// A hash that the same key of another group does not have.
    var hashWithGroup: UInt64 { hash.value ^ (UInt64(location.group) &* 0x9e37_79b9_7f4a_7c15) }

    /// Brings what the lookups of so many keys will touch nearer, as far as `step`; runs of one group together.
    static func prefetch(_ count: Int, _ step: LookupStep, key: (Int) -> PreparedKey) {
        var first = 0
        while first < count {
            let location = key(first).location
            var end = first + 1
            while end < count, key(end).location.isInGroup(of: location) { end += 1 }
            location.prefetch(first..<end, step) { key($0).hash }
            first = end
        }
    }

    /// All steps, one after the other.
    static func prefetch(_ count: Int, key: (Int) -> PreparedKey) {
        guard count > 1 else { return }
        prefetch(count, .slot, key: key)
        prefetch(count, .record, key: key)
    }
}

/// A plain GET on its way to its answer.
struct PreparedGet: BitwiseCopyable {
    let start: Int
    let request: PlainGet
    let key: PreparedKey

    /// The key within its group, of the bytes that the request was found in.
    @_lifetime(copy bytes)
    func key(in bytes: RawSpan) -> RawSpan {
        key.location.key(in: bytes.extracting(request.keyStart..<request.keyStart + request.keyLength))
    }
}

/// The short way for what clients ask most: plain GETs, alone or as a client pipelines them, and the keys of an MGET. Each
/// waits for memory two or three times, so those that are there together are prepared together and wait together.
extension ClientConnection {
    /// How many are prepared together: enough to wait for memory once, and few enough to stay in the nearest cache.
    private static let runLength = 16

    /// Answers the plain GETs that `bytes` have at `start`, in order, until something else comes, a bound is reached or so
    /// many are answered that it's another run's turn. Returns how many there were, and where they end.
    func executeGets(_ bytes: RawSpan, from start: Int, limit: Int, _ reply: inout ReplyBuffer) -> (
        count: Int, end: Int
    ) {
        rewritten.endRequest()
        return withUnsafeTemporaryAllocation(of: PreparedGet.self, capacity: Self.runLength) { gets in
            var prepared = 0
            var end = start
            while prepared < Self.runLength, let get = prepare(bytes, at: end), get.request.end - end <= limit {
                gets.initializeElement(at: prepared, to: get)
                prepared += 1
                end = get.request.end
            }
            PreparedKey.prefetch(prepared) { gets[$0].key }
            var count = 0
            end = start
            for get in gets[..<prepared] where isExecuting {
                answer(get, in: bytes, &reply)
                count += 1
                end = get.request.end
            }
            return (count, end)
        }
    }

    @inline(__always)
    private func answer(_ get: PreparedGet, in bytes: RawSpan, _ reply: inout ReplyBuffer) {
        let start = reply.end
        appendText(of: get.key(in: bytes), get.key.hash, at: get.key.location, to: &reply)
        if !reply.isPlain { queue(&reply, from: start, to: bytes.extracting(get.start..<get.request.end)) }
    }

    /// The plain GET at `start`; nil when there is none, or its key names nothing.
    @inline(__always)
    private func prepare(_ bytes: RawSpan, at start: Int) -> PreparedGet? {
        guard let request = PlainGet(bytes, at: start) else { return nil }
        let name = bytes.extracting(request.keyStart..<request.keyStart + request.keyLength)
        guard let key = PreparedKey(name, in: keyspace, rewritten) else { return nil }
        return PreparedGet(start: start, request: request, key: key)
    }

    /// Appends the texts of the keys that are these arguments of a request, as one array; or the error, which names its key, and
    /// nothing else. A key that stands there several times is asked for once if it has to be waited for. With a `catchUp`, the
    /// answers are from a state that has seen its position.
    func appendTexts(of request: Request, _ keys: Range<Int>, _ catchUp: CatchUp? = nil, to reply: inout ReplyBuffer) {
        let start = reply.end
        let limit = server.settings.maxOutput
        var holes = HolesByKey()
        reply.bytes.appendArrayHeader(keys.count)
        var rest = keys
        while let first = rest.first {
            let count = appendRun(of: request, rest, catchUp, &holes, to: &reply)
            if count == 0 {
                drop(&reply, from: start)
                if let error = errorText(of: request[first]) {
                    reply.bytes.appendError(ErrorText.naming(request[first], error))
                }
                return
            }
            rest.removeFirst(count)
            if reply.byteCount(from: start) > server.maxReply {
                drop(&reply, from: start)
                return reply.bytes.appendError(ErrorText.replyTooLarge(limit: limit))
            }
        }
    }

    /// Appends as many of them as are prepared together. Returns how many; none when the first names nothing.
    private func appendRun(
        of request: Request, _ indices: Range<Int>, _ catchUp: CatchUp?, _ holes: inout HolesByKey,
        to reply: inout ReplyBuffer
    ) -> Int {
        withUnsafeTemporaryAllocation(of: PreparedKey.self, capacity: Self.runLength) { keys in
            var prepared = 0
            while prepared < min(Self.runLength, indices.count),
                let key = PreparedKey(request[indices.lowerBound + prepared], in: keyspace, rewritten)
            {
                keys.initializeElement(at: prepared, to: key)
                prepared += 1
            }
            PreparedKey.prefetch(prepared) { keys[$0] }
            for (offset, key) in keys[..<prepared].enumerated() {
                let argument = indices.lowerBound + offset
                let name = request[argument]
                if !holes.isEmpty,
                    let hole = holes.hole(key.hashWithGroup, isSame: { request[$0].hasSameBytes(as: name) })
                {
                    reply.append(hole)
                    continue
                }
                let count = reply.insertionCount
                let inGroup = key.location.key(in: name)
                if let catchUp {
                    appendText(of: inGroup, key.hash, at: key.location, catchUp, to: &reply)
                } else {
                    appendText(of: inGroup, key.hash, at: key.location, to: &reply)
                }
                guard reply.insertionCount > count, let hole = reply.lastHole else { continue }
                hole.argument = argument
                holes.insert(hole, key.hashWithGroup, argument: argument)
            }
            return prepared
        }
    }
}
