import EventLoop
import Glibc
import Logging
import RESP

/// From replies to bytes.
extension ClientConnection {
    /// Short replies are sent together up to this.
    private static let gatherSize = 64 << 10
    /// The next request is executed while no more bytes than this wait for the client: with more, nobody is served sooner.
    private static let stallSize = 1 << 20

    // MARK: Replies that wait

    /// Takes the reply that a command wrote behind `start` for `request` when it has to wait: for a load, or for room.
    ///
    /// What was written before it goes into the queue first, and everything later follows it, since ``transmit(_:)`` sends past
    /// the queue only when that is empty.
    func queue(
        _ reply: inout ReplyBuffer, from start: ReplyBuffer.Position, to request: RawSpan, isRepeatable: Bool = true
    ) {
        // A transaction's replies were taken one by one.
        guard reply.isCurrent(start), phase != .closed,
            let pending = takeWaiting(&reply, from: start, to: request, isRepeatable: isRepeatable)
        else {
            return
        }
        if !reply.isEmpty { replies.append(reply.takeAll()) }
        replies.append(pending)
        expectAlarm(of: pending)
        updateStall()
    }

    /// Puts what a command wrote for `request`, all that is in `reply`, in front of everything.
    func prepend(_ reply: inout ReplyBuffer, to request: RawSpan) {
        if let pending = takeWaiting(&reply, from: reply.start, to: request) {
            replies.prepend(pending)
            expectAlarm(of: pending)
        } else {
            replies.prepend(reply.takeAll())
        }
    }

    private func takeWaiting(
        _ reply: inout ReplyBuffer, from start: ReplyBuffer.Position, to request: RawSpan, isRepeatable: Bool = true
    ) -> PendingReply? {
        let size = reply.byteCount(from: start)
        if size > server.maxReply {
            drop(&reply, from: start)
            reply.bytes.appendError(ErrorText.replyTooLarge(limit: server.settings.maxOutput))
            return nil
        }
        if let hole = reply.takeLoneHole(from: start) {
            return PendingReply(hole, to: self, request: request, isRepeatable: isRepeatable)
        }
        if reply.hasHoles(from: start) {
            return PendingReply(reply.take(from: start), to: self, request: request, isRepeatable: isRepeatable)
        }
        // A short one is not deferred: it would be executed again at once, since it is sent whatever others hold.
        guard isRepeatable, size > PendingReply.shortReply, !server.output.hasRoom(for: size) else { return nil }
        drop(&reply, from: start)
        return PendingReply(deferring: request, of: self, need: size)
    }

    private func expectAlarm(of pending: PendingReply) {
        if case .waiting = pending.state { expectAlarm(by: pending.firstDeadline) }
    }

    /// Takes back what was written behind `start`.
    func drop(_ reply: inout ReplyBuffer, from start: ReplyBuffer.Position) {
        reply.take(from: start).forEachHole { waits.abandon($0) }
    }

    /// Called when a reply in the queue is complete, or was let go.
    func isDone(_ reply: PendingReply) {
        if replies.isNext(reply) { round.add(self) }
    }

    // MARK: Sending

    /// Sends replies, or queues them behind those that wait. `reply` is empty afterwards.
    func transmit(_ reply: inout ReplyBuffer) {
        // What is left in the loop's buffer would be the next client's.
        guard phase != .closed else { return drop(&reply, from: reply.start) }
        if replies.isEmpty, reply.isPlain {
            if reply.isEmpty { return }
            let sent = reply.bytes.withUnsafeBytes { send($0) }
            reply.bytes.consume(sent)
            if reply.isEmpty { return }
        }
        if !reply.isEmpty { replies.append(reply.takeAll()) }
        sendQueue(&reply)
    }

    /// Sends from the queue until it is empty, a reply in it waits, or the kernel takes no more. `reply` is empty before and
    /// afterwards.
    func sendQueue(_ reply: inout ReplyBuffer) {
        defer { updateStall() }
        while !isBlocked, phase != .broken {
            switch replies.front {
            case .nothing, .waiting: return
            case .deferred(let pending, let need):
                guard need <= PendingReply.shortReply || server.output.hasRoom(for: need) else {
                    return waitForRoom(need)
                }
                replies.takeDeferred()
                replay(pending, &reply)
            case .sendable:
                held.beginMove()
                defer { held.endMove() }
                replies.gather(into: &reply, upTo: Self.gatherSize)
                if reply.isEmpty {
                    _ = replies.sendFirst { send($0) }
                    continue
                }
                if reply.isPlain {
                    let sent = reply.bytes.withUnsafeBytes { send($0) }
                    reply.bytes.consume(sent)
                }
                if !reply.isEmpty { replies.prepend(reply.takeAll()) }
            }
        }
    }

    /// Has a turn when there is room for so many bytes. What those behind it hold is let go: else those who wait for room might
    /// hold it.
    private func waitForRoom(_ need: Int) {
        for reply in replies.expendableBehindFirst { reply.letGo() }
        round.add(self, whenRoomFor: need, in: server.output)
    }

    private func updateStall() {
        // Field by field: a copy of all of them would count a reference for each text in there, which all loops share.
        let limit = isAuthenticated ? min(Self.stallSize, server.settings.maxOutput) : Self.limitBeforePassword
        isStalled =
            !replies.isEmpty
            && (replies.pendingCount >= server.settings.maxPendingReplies
                || replies.waitingKeys >= server.settings.maxPendingKeys || replies.byteCount >= limit
                || replies.deferredCount > 0 || server.output.isFull)
    }

    /// One send(2). Returns how many bytes the kernel took; fewer than all when it takes no more, or the client is gone.
    private func send(_ bytes: UnsafeRawBufferPointer) -> Int {
        switch socket.send(bytes) {
        case .all:
            pace.taken += bytes.count
            return bytes.count
        case .some(let count):
            // The time of not reading begins here, however long the connection was idle before.
            if count > 0 || !isBlocked { lastProgress = loop.now }
            if !isBlocked, pace.nextLook <= loop.now { pace = TransferPace(at: loop.now) }
            pace.taken += count
            isBlocked = true
            return count
        case .gone:
            if phase != .closed { phase = .broken }
            return 0
        }
    }
}
