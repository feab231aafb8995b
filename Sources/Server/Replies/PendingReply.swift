import CacheCore
import Groundwork
import RESP

/// The reply to one request that waits for loads. Confined to its connection's loop.
final class PendingReply {
    private let piece: ReplyPiece
    private let version: ProtocolVersion
    private let limit: Int
    /// Closing a client empties its holes, so none is filled when it is gone.
    private unowned let client: ClientConnection
    private var openHoles: Int
    /// The deadline of the hole that has least time.
    private(set) var firstDeadline = Instant(nanoseconds: .max)
    /// What there is to send so far.
    private(set) var byteCount: Int

    /// A reply to `client`, with an error in its place when it takes more than `limit` bytes.
    init(_ piece: ReplyPiece, to client: ClientConnection, limit: Int) {
        self.piece = piece
        self.client = client
        self.limit = limit
        version = client.version
        byteCount = piece.byteCount
        openHoles = 0
        piece.forEachHole { hole in
            hole.reply = self
            openHoles += 1
            firstDeadline = min(firstDeadline, hole.deadline)
        }
    }

    /// Whether every hole is filled.
    var isComplete: Bool { openHoles == 0 }

    /// Calls `body` with its holes that are not filled.
    func forEachOpenHole(_ body: (Hole) -> Void) {
        piece.forEachHole { if $0.outcome == nil { body($0) } }
    }

    /// Called by a hole when it got its outcome.
    func holeWasFilled(with outcome: Outcome) {
        openHoles -= 1
        let added =
            switch outcome {
            case .success(let value): value.text.byteCount
            case .failure: 0
            }
        byteCount += added
        client.pendingReply(self, grewBy: added)
    }

    /// Writes the reply. It is complete.
    func write(into reply: inout ReplyBuffer) {
        guard byteCount <= limit else {
            reply.bytes.appendError(ErrorText.replyTooLarge(limit: limit))
            return
        }
        let stored = piece.bytes
        let bytes = stored.span.bytes
        var written = 0
        for (offset, content) in piece.insertions {
            reply.bytes.append(bytes.extracting(written..<offset))
            written = offset
            switch content {
            case .shared(let shared): reply.append(shared)
            case .hole(let hole):
                guard let outcome = hole.outcome else { continue }
                hole.write(outcome, &reply, version)
            }
        }
        reply.bytes.append(bytes.extracting(droppingFirst: written))
    }
}
