import DequeModule
import RESP

/// What a client is still to get, in the order in which it asked: bytes that the kernel has not taken, and replies that
/// wait for loads with what stands behind them.
struct ReplyQueue {
    private enum Segment {
        case bytes([UInt8], sent: Int)
        case shared(SharedBytes, sent: Int)
        case pending(PendingReply)
    }

    private var segments = Deque<Segment>()
    /// What is known to be sent, in bytes.
    private(set) var byteCount = 0
    /// How many replies wait for a load.
    private(set) var pendingCount = 0

    /// Shorter segments are copied together; longer ones are sent from where they are.
    private static let gatherLimit = 16 << 10

    var isEmpty: Bool { segments.isEmpty }

    /// Whether the first thing in it can be sent.
    var canSend: Bool {
        switch segments.first {
        case nil: false
        case .bytes, .shared: true
        case .pending(let reply): reply.isComplete
        }
    }

    /// Those that wait.
    var pendingReplies: [PendingReply] {
        segments.compactMap { if case .pending(let reply) = $0 { reply } else { nil } }
    }

    /// Appends a reply that waits.
    mutating func append(_ reply: PendingReply) {
        segments.append(.pending(reply))
        byteCount += reply.byteCount
        pendingCount += 1
    }

    /// Appends replies that have no holes.
    mutating func append(_ piece: ReplyPiece) {
        byteCount += piece.byteCount
        if piece.insertions.isEmpty, piece.bytes.count < Self.gatherLimit,
            case .bytes(var tail, let sent)? = segments.last
        {
            // The queue's own reference goes first, so that the tail grows in place.
            segments.removeLast()
            tail.append(contentsOf: piece.bytes)
            segments.append(.bytes(tail, sent: sent))
        } else {
            for segment in Self.segments(of: piece) { segments.append(segment) }
        }
    }

    /// Puts replies without holes in front of everything.
    mutating func prepend(_ piece: ReplyPiece) {
        byteCount += piece.byteCount
        for segment in Self.segments(of: piece).reversed() { segments.prepend(segment) }
    }

    /// Notes that a pending reply in it grew.
    mutating func pendingGrew(by count: Int) {
        byteCount += count
    }

    /// Moves what can be sent from the front into `reply`: short bytes and complete replies, until `limit` bytes are there,
    /// or something that is better sent by ``sendFirst(_:)``.
    mutating func gather(into reply: inout ReplyBuffer, upTo limit: Int) {
        while reply.isPlain, reply.byteCount < limit, let first = segments.first {
            switch first {
            case .bytes(let bytes, let sent):
                guard bytes.count - sent < Self.gatherLimit else { return }
                reply.bytes.append(bytes.span.bytes.extracting(droppingFirst: sent))
                byteCount -= bytes.count - sent
            case .shared: return
            case .pending(let pending):
                guard pending.isComplete else { return }
                pending.write(into: &reply)
                byteCount -= pending.byteCount
                pendingCount -= 1
            }
            segments.removeFirst()
        }
        // An idle connection holds no memory for what it once had to wait for.
        if segments.isEmpty { segments = Deque() }
    }

    /// Lets `send` take bytes from the first segment, of which it returns how many it took. False when that is not all of
    /// them; nil when there is nothing but replies that wait.
    mutating func sendFirst(_ send: (UnsafeRawBufferPointer) -> Int) -> Bool? {
        let left: Int
        let taken: Int
        switch segments.first {
        case nil, .pending: return nil
        case .bytes(let bytes, let sent):
            left = bytes.count - sent
            taken = bytes.withUnsafeBytes { send(UnsafeRawBufferPointer(rebasing: $0[sent...])) }
            if taken < left { segments[0] = .bytes(bytes, sent: sent + taken) }
        case .shared(let shared, let sent):
            left = shared.byteCount - sent
            taken = shared.withBytes(from: sent, send)
            if taken < left { segments[0] = .shared(shared, sent: sent + taken) }
        }
        byteCount -= taken
        if taken == left { segments.removeFirst() }
        if segments.isEmpty { segments = Deque() }
        return taken == left
    }

    private static func segments(of piece: ReplyPiece) -> [Segment] {
        guard !piece.insertions.isEmpty else { return piece.bytes.isEmpty ? [] : [.bytes(piece.bytes, sent: 0)] }
        var segments: [Segment] = []
        var written = 0
        for (offset, content) in piece.insertions {
            if offset > written { segments.append(.bytes(Array(piece.bytes[written..<offset]), sent: 0)) }
            written = offset
            switch content {
            case .shared(let shared): segments.append(.shared(shared, sent: 0))
            case .hole: break
            }
        }
        if written < piece.bytes.count { segments.append(.bytes(Array(piece.bytes[written...]), sent: 0)) }
        return segments
    }
}
