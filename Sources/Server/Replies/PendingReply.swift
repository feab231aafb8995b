import CacheCore
import Groundwork
import RESP

/// The reply to one request that waits for loads, or for its turn. Confined to its connection's loop.
///
/// Any load that fails makes the whole reply its error. When what the loads bring finds no room, it is let go, and the request
/// is executed again when its turn comes: mostly a hit by then.
final class PendingReply {
    /// Where it stands. Waiting becomes complete or deferred; complete becomes deferred while another reply is in front.
    enum State: Equatable {
        /// For loads.
        case waiting
        /// It can be sent.
        case complete
        /// Everything was let go; the request is to be executed at its turn, when there is room for so many bytes.
        case deferred(need: Int)
    }

    private(set) var state = State.waiting
    /// The request as it came, and the version of the protocol then.
    let request: [UInt8]
    let version: ProtocolVersion
    /// Whether it holds what it has, whatever others need: to execute the request again would do something again, or what it has
    /// is an error, which is short.
    private(set) var isKept: Bool
    /// Whether what the request read was noted (``Tracking``).
    let isNoted: Bool
    /// What the loads fill.
    private var piece: ReplyPiece
    /// The same where it is one hole and nothing else, as for a GET: it takes no array then.
    private var lone: Hole?
    private(set) var openHoles = 0
    /// Whether it is part of the client's queue, which counts what it takes; the queue's to change.
    var isQueued = false
    /// Closing a client lets go of its replies, so none is filled when it is gone.
    private unowned let client: ClientConnection
    /// The deadline of the hole that has least time.
    private(set) var firstDeadline = Instant(nanoseconds: .max)
    /// What it takes: the request, what was written, what the loads brought.
    private(set) var byteCount: Int
    /// Of that, bytes of its own; the rest are values.
    private var ownBytes: Int

    /// A reply to `client`'s `request`, which may be executed again if it is repeatable.
    convenience init(_ piece: ReplyPiece, to client: ClientConnection, request: RawSpan, isRepeatable: Bool) {
        self.init(piece, nil, to: client, request: request, isRepeatable: isRepeatable)
        var failure: LoadError?
        for insertion in piece.insertions {
            switch insertion.content {
            case .shared(let shared): client.held.add(shared.value)
            case .hole(let hole): expect(hole)
            case .failure(let error): failure = failure ?? error
            }
        }
        if let failure { become(failure.reply) }
    }

    /// The same for a reply that is one hole.
    convenience init(_ hole: Hole, to client: ClientConnection, request: RawSpan, isRepeatable: Bool) {
        self.init(ReplyPiece(of: RawSpan()), hole, to: client, request: request, isRepeatable: isRepeatable)
        expect(hole)
    }

    private init(
        _ piece: ReplyPiece, _ lone: Hole?, to client: ClientConnection, request: RawSpan, isRepeatable: Bool
    ) {
        isKept = !isRepeatable
        self.piece = piece
        self.lone = lone
        self.client = client
        self.request = request.withUnsafeBytes { Array($0) }
        version = client.version
        isNoted = client.notesReading
        ownBytes = request.byteCount + piece.bytes.count
        byteCount = request.byteCount + piece.byteCount
        client.held.add(ownBytes)
    }

    private func expect(_ hole: Hole) {
        hole.occurrences += 1
        // One that stands there several times waits once.
        guard hole.occurrences == 1 else { return }
        hole.reply = self
        openHoles += 1
        firstDeadline = min(firstDeadline, hole.deadline)
    }

    /// A reply that is to be made at its turn, when there is room for `need` bytes.
    init(deferring request: RawSpan, of client: ClientConnection, need: Int) {
        piece = ReplyPiece(of: RawSpan())
        isKept = false
        self.client = client
        self.request = request.withUnsafeBytes { Array($0) }
        version = client.version
        isNoted = client.notesReading
        ownBytes = request.byteCount
        byteCount = request.byteCount
        state = .deferred(need: need)
        client.held.add(ownBytes)
    }

    /// Calls `body` with its holes that are not filled.
    func forEachOpenHole(_ body: (Hole) -> Void) {
        forEachHole { if $0.reply === self { body($0) } }
    }

    private func forEachHole(_ body: (Hole) -> Void) {
        if let lone { body(lone) } else { piece.forEachHole(body) }
    }

    // MARK: What its holes tell

    /// Whether a hole may keep a value, of which so many bytes will be sent. If not, this has become something else.
    func hasRoom(for value: Value, byteCount count: Int) -> Bool {
        hasRoom(for: count) { held, turn in held.reserve(value, for: turn) }
    }

    /// Whether a hole may keep so many bytes that it wrote.
    func hasRoom(forPart count: Int) -> Bool {
        guard hasRoom(for: count, { held, turn in held.reserve(count, for: turn) }) else { return false }
        ownBytes += count
        return true
    }

    /// How much is sent to a client that reads, whatever others hold.
    static let shortReply = 16 << 10

    private func hasRoom(for count: Int, _ reserve: (HeldBytes, HeldBytes.Turn) -> Bool) -> Bool {
        // Looked up once: each look checks that the client is there and counts a reference.
        let client = client
        let held = client.held
        let limit = client.server.maxReply
        setByteCount(byteCount + count, client)
        guard byteCount - request.count <= limit else {
            fail(ErrorText.replyTooLarge(limit: client.server.settings.maxOutput))
            return false
        }
        let isNext = client.replies.isNext(self)
        if isKept { return reserve(held, .now) }
        let isShort = isNext && !client.isBlocked && byteCount <= Self.shortReply
        if client.replies.byteCount <= limit, reserve(held, isShort ? .now : isNext ? .next : .later) {
            return true
        }
        if isNext {
            // Those behind it give way to the one that they wait for: so two of them can't wait for one another.
            for reply in client.replies.expendableBehindFirst { reply.letGo() }
            if reserve(held, .next) { return true }
        }
        letGo()
        return false
    }

    /// A hole keeps what it was filled with.
    func holeWasFilled() {
        let client = client
        setOpenHoles(openHoles - 1, client)
        guard openHoles == 0 else { return }
        state = .complete
        client.isDone(self)
    }

    /// There will be no value: `error` is the whole reply. It names the key, if that is one of several, by where it stands in the
    /// request.
    func fail(_ error: LoadError, of argument: Int?) {
        fail(argument.map { naming($0, error.reply) } ?? error.reply)
    }

    /// An error that names an argument of the request.
    private func naming(_ argument: Int, _ error: String) -> String {
        let stored = request
        let bytes = stored.span.bytes
        var parser = RequestParser(limits: client.buffers.limits)
        guard case .request? = try? parser.parse(bytes) else { return error }
        return ErrorText.naming(parser.request(in: bytes)[argument], error)
    }

    private func fail(_ error: String) {
        switch state {
        case .waiting: break
        case .complete, .deferred: return
        }
        become(error)
        client.isDone(self)
    }

    private func become(_ error: String) {
        release()
        isKept = true
        var written = ReplyBuffer()
        written.bytes.appendError(error)
        piece = written.takeAll()
        lone = nil
        ownBytes = request.count + piece.byteCount
        client.held.add(ownBytes)
        setByteCount(ownBytes, client)
        state = .complete
    }

    private func setByteCount(_ count: Int, _ client: ClientConnection) {
        if isQueued { client.replies.pendingGrew(by: count - byteCount) }
        byteCount = count
    }

    private func setOpenHoles(_ count: Int, _ client: ClientConnection) {
        if isQueued { client.replies.waitingKeysGrew(by: count - openHoles) }
        openHoles = count
    }

    // MARK: Letting go

    /// Lets go of everything but the request, which is executed again at its turn.
    func letGo() {
        let need = byteCount - request.count
        release()
        piece = ReplyPiece(of: RawSpan())
        lone = nil
        ownBytes = request.count
        client.held.add(ownBytes)
        setByteCount(ownBytes, client)
        state = .deferred(need: need)
        client.replies.pendingWasDeferred()
        client.isDone(self)
    }

    /// Gives back all that it holds, and leaves the flights that it waits for: they go on without it.
    func release() {
        let client = client
        let held = client.held
        // Given back in one go, since all loops share the bound.
        var bytes = ownBytes
        ownBytes = 0
        setOpenHoles(0, client)
        piece.forEachShared { bytes += held.takeOut($0.value) }
        forEachHole { hole in
            if hole.reply != nil {
                client.waits.abandon(hole)
                hole.reply = nil
            } else if let value = hole.takeValue() {
                bytes += held.takeOut(value)
            }
        }
        held.remove(bytes)
    }

    /// Writes the reply. It is complete.
    func write(into reply: inout ReplyBuffer) {
        if let lone { return lone.write(to: &reply, version) }
        let stored = piece.bytes
        let bytes = stored.span.bytes
        var written = 0
        for insertion in piece.insertions {
            reply.bytes.append(bytes.extracting(written..<insertion.offset))
            written = insertion.offset
            switch insertion.content {
            case .shared(let shared): reply.append(shared)
            case .hole(let hole): hole.write(to: &reply, version)
            case .failure: break
            }
        }
        reply.bytes.append(bytes.extracting(droppingFirst: written))
    }
}
