import EventLoop
import Glibc
import RESP

/// From replies to bytes.
extension ClientConnection {
    /// Short replies are sent together up to this.
    private static let gatherSize = 64 << 10

    /// Takes the reply that a command wrote behind `mark` when it is more than bytes.
    ///
    /// A reply with holes waits in the queue, and what was written before it goes there first. Everything later follows it,
    /// since ``transmit(_:)`` sends past the queue only when that is empty.
    func queue(_ reply: inout ReplyBuffer, from mark: ReplyBuffer.Mark) {
        let settings = clients.context.settings
        if reply.byteCount(from: mark) > settings.maxOutput {
            drop(&reply, from: mark)
            reply.bytes.appendError(ErrorText.replyTooLarge(limit: settings.maxOutput))
        }
        guard reply.hasHoles(from: mark) else { return }
        if hasPosted { clients.sendPosted() }
        let piece = reply.take(from: mark)
        if !reply.isEmpty { replies.append(reply.takeAll()) }
        let pending = PendingReply(piece, to: self, limit: settings.maxOutput)
        replies.append(pending)
        expectAlarm(by: pending.firstDeadline)
        pauseAtBound()
    }

    /// Takes back what was written behind `mark`.
    func drop(_ reply: inout ReplyBuffer, from mark: ReplyBuffer.Mark) {
        reply.take(from: mark).forEachHole { clients.abandon($0) }
    }

    /// Called when a load filled a hole of a reply in the queue.
    func pendingReply(_ reply: PendingReply, grewBy count: Int) {
        replies.pendingGrew(by: count)
        if reply.isComplete { clients.touch(self) }
    }

    /// Sends what an event brought at the end of the round, if nothing stands in the way, else now. `reply` is empty
    /// afterwards.
    func transmitLater(_ reply: inout ReplyBuffer) {
        guard replies.isEmpty, reply.isPlain, phase == .open, !isTouched else { return transmit(&reply) }
        if !reply.isEmpty { clients.post(&reply.bytes, to: self) }
    }

    /// Sends what was put off until the end of the round; what the kernel does not take goes to the queue.
    func sendPosted(_ bytes: RawSpan) {
        guard phase == .open || phase == .finishing else { return }
        let sent = replies.isEmpty ? bytes.withUnsafeBytes { send($0) } : 0
        guard sent < bytes.byteCount else { return }
        replies.append(ReplyPiece(of: bytes.extracting(droppingFirst: sent)))
        pauseAtBound()
        settle()
    }

    /// Sends replies, or queues them behind those that wait. `reply` is empty afterwards.
    func transmit(_ reply: inout ReplyBuffer) {
        if reply.isEmpty { return }
        if hasPosted { clients.sendPosted() }
        if replies.isEmpty, reply.isPlain {
            let sent = reply.bytes.withUnsafeBytes { send($0) }
            reply.bytes.consume(sent)
            if reply.isEmpty { return }
        }
        replies.append(reply.takeAll())
        if !isBlocked { sendQueue(&reply) }
        pauseAtBound()
    }

    /// Sends from the queue until it is empty, a reply in it waits for a load, or the kernel takes no more. `reply` is empty
    /// before and afterwards.
    func sendQueue(_ reply: inout ReplyBuffer) {
        while replies.canSend {
            replies.gather(into: &reply, upTo: Self.gatherSize)
            if reply.isEmpty {
                if replies.sendFirst({ send($0) }) != true { return }
                continue
            }
            if reply.isPlain {
                let sent = reply.bytes.withUnsafeBytes { send($0) }
                reply.bytes.consume(sent)
            }
            if !reply.isEmpty { replies.prepend(reply.takeAll()) }
            if isBlocked { return }
        }
    }

    private func pauseAtBound() {
        let settings = clients.context.settings
        if replies.pendingCount >= settings.maxPendingReplies || replies.byteCount > settings.maxOutput {
            isPaused = true
        }
    }

    /// One send(2). Returns how many bytes the kernel took; fewer than all when it takes no more, or the client is gone.
    private func send(_ bytes: UnsafeRawBufferPointer) -> Int {
        var count: Int
        repeat {
            count = Glibc.send(
                descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
        } while count < 0 && errno == EINTR
        if count == bytes.count { return count }
        if count < 0, errno != EAGAIN, errno != ENOBUFS { phase = .broken }
        // The time of not reading begins here, however long the connection was idle before.
        if count > 0 || !isBlocked { lastProgress = clients.loop.now }
        isBlocked = true
        return max(0, count)
    }
}
