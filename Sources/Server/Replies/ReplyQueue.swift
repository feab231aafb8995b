import DequeModule
import RESP

/// What a client is still to get, in the order in which it asked: bytes that the kernel has not taken, and replies that
/// wait with what stands behind them.
struct ReplyQueue {
    private enum Segment {
        case bytes([UInt8], sent: Int)
        case shared(SharedBytes, sent: Int)
        case pending(PendingReply)
    }

    /// What stands in front.
    enum Front {
        case nothing
        /// It can be sent.
        case sendable
        /// It waits for a load.
        case waiting
        /// Its request is to be executed again.
        case deferred(PendingReply, need: Int)
    }

    private var segments = Deque<Segment>()
    private let held: HeldBytes
    /// What is known to be sent, in bytes.
    private(set) var byteCount = 0
    /// How many replies wait.
    private(set) var pendingCount = 0
    /// For how many keys they wait.
    private(set) var waitingKeys = 0
    /// How many of them are deferred.
    private(set) var deferredCount = 0

    /// Shorter segments are copied together; longer ones are sent from where they are.
    private static let gatherLimit = 16 << 10

    /// The replies for which there is room at once: as many as clients often pipeline.
    private static let usualCapacity = 16

    init(_ held: HeldBytes) {
        self.held = held
    }

    var isEmpty: Bool { segments.isEmpty }

    var front: Front {
        switch segments.first {
        case nil: .nothing
        case .bytes, .shared: .sendable
        case .pending(let reply):
            switch reply.state {
            case .waiting: .waiting
            case .complete: .sendable
            case .deferred(let need): .deferred(reply, need: need)
            }
        }
    }

    /// Whether a reply is the next to be sent.
    func isNext(_ reply: PendingReply) -> Bool {
        if case .pending(let first)? = segments.first { first === reply } else { false }
    }

    /// Those that wait.
    var pendingReplies: [PendingReply] {
        segments.compactMap { if case .pending(let reply) = $0 { reply } else { nil } }
    }

    // MARK: Adding

    /// Appends a reply that waits.
    mutating func append(_ reply: PendingReply) {
        // One seldom waits alone.
        if segments.isEmpty { segments.reserveCapacity(Self.usualCapacity) }
        segments.append(.pending(reply))
        count(reply)
    }

    /// Puts a reply that waits in front of everything.
    mutating func prepend(_ reply: PendingReply) {
        segments.prepend(.pending(reply))
        count(reply)
    }

    private mutating func count(_ reply: PendingReply) {
        byteCount += reply.byteCount
        pendingCount += 1
        waitingKeys += reply.openHoles
        if case .deferred = reply.state { deferredCount += 1 }
        reply.isQueued = true
    }

    /// Appends replies that have no holes.
    mutating func append(_ piece: ReplyPiece) {
        hold(piece)
        if piece.insertions.isEmpty, piece.bytes.count < Self.gatherLimit,
            case .bytes(var tail, let sent)? = segments.last, tail.count < Self.gatherLimit
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
        hold(piece)
        for segment in Self.segments(of: piece).reversed() { segments.prepend(segment) }
    }

    private mutating func hold(_ piece: ReplyPiece) {
        byteCount += piece.byteCount
        held.add(piece.bytes.count)
        piece.forEachShared { held.add($0.value) }
    }

    /// Notes that a reply which waits in it grew.
    mutating func pendingGrew(by count: Int) {
        byteCount += count
    }

    /// Notes that a reply in it waits for more keys, or fewer.
    mutating func waitingKeysGrew(by count: Int) {
        waitingKeys += count
    }

    /// Notes that a reply in it was let go.
    mutating func pendingWasDeferred() {
        deferredCount += 1
    }

    // MARK: Taking

    /// Moves what can be sent from the front into `reply`: short bytes and complete replies, until `limit` bytes are there,
    /// or something that is better sent by ``sendFirst(_:)``.
    mutating func gather(into reply: inout ReplyBuffer, upTo limit: Int) {
        while reply.isPlain, reply.byteCount < limit, let first = segments.first {
            switch first {
            case .bytes(let bytes, let sent):
                guard bytes.count - sent < Self.gatherLimit else { return }
                reply.bytes.append(bytes.span.bytes.extracting(droppingFirst: sent))
                byteCount -= bytes.count - sent
                held.remove(bytes.count)
            case .shared: return
            case .pending(let pending):
                guard pending.state == .complete else { return }
                pending.write(into: &reply)
                drop(pending)
            }
            removeFirst()
        }
    }

    /// Takes out the first reply, which is deferred.
    mutating func takeDeferred() {
        guard case .pending(let pending)? = segments.first else { return }
        drop(pending)
        deferredCount -= 1
        removeFirst()
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
            if taken < left { segments[0] = .bytes(bytes, sent: sent + taken) } else { held.remove(bytes.count) }
        case .shared(let shared, let sent):
            left = shared.byteCount - sent
            taken = shared.withBytes(from: sent, send)
            if taken < left { segments[0] = .shared(shared, sent: sent + taken) } else { held.remove(shared.value) }
        }
        byteCount -= taken
        if taken == left { removeFirst() }
        return taken == left
    }

    /// Complete replies behind the first that may be let go.
    var expendableBehindFirst: [PendingReply] {
        segments.dropFirst().compactMap { segment in
            if case .pending(let reply) = segment, reply.state == .complete, !reply.isKept { reply } else { nil }
        }
    }

    /// Lets go of everything.
    mutating func removeAll() {
        for segment in segments {
            switch segment {
            case .bytes(let bytes, _): held.remove(bytes.count)
            case .shared(let shared, _): held.remove(shared.value)
            case .pending(let pending):
                pending.isQueued = false
                pending.release()
            }
        }
        segments = Deque()
        byteCount = 0
        pendingCount = 0
        waitingKeys = 0
        deferredCount = 0
    }

    private mutating func drop(_ pending: PendingReply) {
        byteCount -= pending.byteCount
        pendingCount -= 1
        // From here on it tells this queue nothing, which is being changed.
        pending.isQueued = false
        pending.release()
    }

    private mutating func removeFirst() {
        segments.removeFirst()
        // An idle connection holds no memory for what it once had to wait for.
        if segments.isEmpty { segments = Deque() }
    }

    private static func segments(of piece: ReplyPiece) -> [Segment] {
        guard !piece.insertions.isEmpty else { return piece.bytes.isEmpty ? [] : [.bytes(piece.bytes, sent: 0)] }
        var segments: [Segment] = []
        var written = 0
        for insertion in piece.insertions {
            let offset = insertion.offset
            if offset > written { segments.append(.bytes(Array(piece.bytes[written..<offset]), sent: 0)) }
            written = offset
            switch insertion.content {
            case .shared(let shared): segments.append(.shared(shared, sent: 0))
            case .hole, .failure: break
            }
        }
        if written < piece.bytes.count { segments.append(.bytes(Array(piece.bytes[written...]), sent: 0)) }
        return segments
    }
}
