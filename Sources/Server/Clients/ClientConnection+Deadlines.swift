import CacheCore
import EventLoop
import Groundwork
import Logging

/// The connection's one timer.
extension ClientConnection {
    /// Sees that deadlines are looked at by then. An alarm that was set earlier does as well: it sets the next one.
    func expectAlarm(by deadline: Instant) {
        if let alarm {
            if alarm.deadline <= deadline { return }
            loop.cancel(alarm.timer)
        }
        // The cycle through the job ends when it runs or the connection closes.
        alarm = (loop.schedule(at: deadline) { [self] in ring() }, deadline)
    }

    private func ring() {
        alarm = nil
        let now = loop.now
        var next = failOverdue(at: now)
        if isBlocked || phase == .lingering {
            let deadline = lastProgress + server.settings.writeTimeout
            guard deadline > now else {
                return phase == .lingering ? close() : close(because: .untaken(server.settings.writeTimeout))
            }
            next = min(next ?? deadline, deadline)
        }
        if isBlocked {
            if pace.nextLook <= now {
                if holdsUpOthers(at: now) { return close(because: .inOthersWay) }
                pace = TransferPace(at: now)
            }
            next = min(next ?? pace.nextLook, pace.nextLook)
        }
        if holdsPartOfRequest {
            if inputPace.nextLook <= now {
                if keepsOthersFromSending(at: now) { return closeAsSlowSender() }
                inputPace = TransferPace(at: now)
            }
            next = min(next ?? inputPace.nextLook, inputPace.nextLook)
        }
        if let next { expectAlarm(by: next) }
    }

    /// Whether others found no room for their requests while this one sent nothing of its own, or next to nothing.
    private func keepsOthersFromSending(at now: Instant) -> Bool {
        (server.input.hasRefused(since: inputPace.since) || server.input.hasWaited(TransferPace.interval, at: now))
            && inputPace.time(for: chargedInput, at: now) > TransferPace.slowest
    }

    private func closeAsSlowSender() {
        server.logger.warning("client \(id) stopped in the middle of a request: closed, as others found no room")
        close()
    }

    /// Whether others who read have been waiting for room, and this one does not read, or so slowly that they would wait for
    /// long. So of those who hold all the room the slowest go, until there is some.
    private func holdsUpOthers(at now: Instant) -> Bool {
        server.output.hasWaited(TransferPace.interval, at: now)
            && pace.time(for: replies.byteCount, at: now) > min(TransferPace.slowest, server.settings.writeTimeout)
    }

    /// Closes because the client doesn't take what it is sent, or not as fast as it comes.
    func close(because backlog: Backlog) {
        server.logger.warning("client \(id) is closed with \(replies.byteCount) bytes unsent: \(backlog.text)")
        // Whoever sees the figure finds the line in the log.
        counters.slowReaders.add(1)
        close()
    }

    /// Ends the waiting of those past their deadline, with the last value where the group's rules allow, else with an error;
    /// their loads go on. Returns the next deadline.
    private func failOverdue(at now: Instant) -> Instant? {
        var next: Instant?
        for reply in replies.pendingReplies {
            reply.forEachOpenHole { hole in
                if hole.deadline > now {
                    next = min(next ?? hole.deadline, hole.deadline)
                } else {
                    failOverdue(hole, at: now)
                }
            }
        }
        return next
    }

    private func failOverdue(_ hole: Hole, at now: Instant) {
        waits.abandon(hole)
        if let value = hole.standIn(at: now) {
            hole.fill(.success(value))
        } else {
            counters.timeouts.add(1)
            guard let group = hole.group else {
                return hole.fill(.failure(LoadError(.timedOut, "it takes long, and goes on; the log tells of its end")))
            }
            server.logger.warning("no answer within load_timeout", metadata: ["group": "\(group.name)"])
            hole.fill(.failure(LoadError(.timedOut, Self.overdue(group))))
        }
    }

    private static func overdue(_ group: Group) -> String {
        "\(group.name): no answer within load_timeout (\(group.loadTimeout))"
    }
}
