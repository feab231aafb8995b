import CacheCore
import RESP

/// The short way for what clients ask most: a run of plain GETs, as one client pipelines them or many ask one by one.
extension ClientConnection {
    /// A GET on its way to its answer.
    private struct Get: BitwiseCopyable {
        let request: PlainGet
        let place: KeyPlace
        let hash: KeyHash

        /// Where the key begins within its group.
        var start: Int { request.keyStart + place.keyOffset }
        var length: Int { request.keyLength - place.keyOffset }
    }

    /// So many are prepared together: enough to wait for memory once, and few enough to stay in the nearest cache.
    private static let runLength = 16

    /// Answers the plain GETs that `bytes` have at `start`, in order, until something else comes, a bound is reached or so
    /// many are answered that it's another run's turn. Returns how many there were, and where they end.
    func executeGets(_ bytes: RawSpan, from start: Int, limit: Int, _ reply: inout ReplyBuffer) -> (
        count: Int, end: Int
    ) {
        withUnsafeTemporaryAllocation(of: Get.self, capacity: Self.runLength) { gets in
            var prepared = 0
            var end = start
            while prepared < Self.runLength, let get = prepare(bytes, at: end), get.request.end - end <= limit {
                gets.initializeElement(at: prepared, to: get)
                prepared += 1
                end = get.request.end
            }
            if prepared > 1 {
                for step in LookupStep.allCases {
                    for get in gets[..<prepared] { get.place.prefetch(get.hash, step) }
                }
            }
            var count = 0
            end = start
            for get in gets[..<prepared] where isReading {
                let mark = reply.mark
                let key = bytes.extracting(get.start..<get.start + get.length)
                appendText(of: key, get.hash, at: get.place, to: &reply)
                if !reply.isPlain { queue(&reply, from: mark) }
                count += 1
                end = get.request.end
            }
            return (count, end)
        }
    }

    /// The plain GET at `start`; nil when there is none, or its key names nothing.
    @inline(__always)
    private func prepare(_ bytes: RawSpan, at start: Int) -> Get? {
        guard let request = PlainGet(bytes, at: start) else { return nil }
        let key = bytes.extracting(request.keyStart..<request.keyStart + request.keyLength)
        guard let place = try? keyspace.locate(key) else { return nil }
        return Get(request: request, place: place, hash: KeyHash(key.extracting(droppingFirst: place.keyOffset)))
    }
}
