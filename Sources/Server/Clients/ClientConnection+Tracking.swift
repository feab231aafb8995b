import CacheCore
import RESP

/// What a client is told of changes, so that it can keep a cache of its own.
extension ClientConnection {
    /// The channel of a RESP2 client that is told in place of another one.
    static let trackingChannel = Array("__redis__:invalidate".utf8)

    /// Reads what came, and before any of it is executed tells what the client is to be told: an invalidation that was applied
    /// before it asked, stands before the answer.
    func receiveAfterNotices() {
        if stored == nil, phase == .open { stored = StoredInput(parser: RequestParser(limits: buffers.limits)) }
        receive(&buffers.reply, executing: false)
        trackers.deliver()
    }

    /// Notes the keys that a request is about to read, unless the client does not want to hear of them.
    func noteReading(_ request: Request, _ command: CommandTable.Entry) {
        notesReading = tracking?.remembers == true && command.readsValues
        if notesReading { noteKeys(of: request, command.keys) }
    }

    /// The same for a request that is executed again.
    func noteReadingAgain(_ request: Request, _ command: CommandTable.Entry, _ deferred: PendingReply) {
        notesReading = deferred.isNoted && tracking != nil
        if notesReading { noteKeys(of: request, command.keys) }
    }

    private func noteKeys(of request: Request, _ keys: KeyPositions) {
        let (first, last, step) = keys.positions
        guard first > 0 else { return }
        for index in stride(from: first, through: last < 0 ? request.count + last : last, by: step) {
            guard index < request.count, let location = try? keyspace.locate(request[index], rewritten) else {
                continue
            }
            let text = request[index].withUnsafeBytes { Array($0) }
            let key = Key(copying: location.key(in: request[index]))
            let group = keyspace.groups[location.group].group
            if tracking?.isTold(of: text, as: group.wireKey(key), in: keyspace) == true { continue }
            trackers.note(key, in: group, as: text, by: self)
        }
    }

    /// What `CLIENT CACHING` said counts for one request, or for one transaction.
    func endCaching(behind command: CommandTable.Entry) {
        guard tracking?.caching != nil, transaction == nil, !executesTransaction, command.type != Client.self else {
            return
        }
        tracking?.caching = nil
    }

    // MARK: Telling. To be called between events.

    /// Tells that what the client knows by these texts is not sure any more; nil: all that it knows. In RESP2 there is no way
    /// to do so.
    func tellInvalidated(_ texts: [[UInt8]]?) {
        switch version {
        case .resp2: break
        case .resp3: push(texts, &buffers.reply)
        }
    }

    /// The same for another client, in whose place this one is told: in RESP2 as a message, if it subscribed to those.
    func tellRedirected(_ texts: [[UInt8]]?) {
        switch version {
        case .resp2: if subscriptions.channels.contains(Self.trackingChannel) { publish(texts, &buffers.reply) }
        case .resp3: push(texts, &buffers.reply)
        }
    }

    /// Tells that the one who is told in this one's place has gone.
    func tellRedirectionIsBroken() {
        guard let redirect = tracking?.redirect, tracking?.isBroken == false else { return }
        tracking?.isBroken = true
        trackers.update(self)
        switch version {
        case .resp2: break
        case .resp3: pushBroken(redirect, &buffers.reply)
        }
    }

    private func push(_ texts: [[UInt8]]?, _ reply: inout ReplyBuffer) {
        reply.bytes.appendPushHeader(2, version)
        reply.bytes.appendBulk("invalidate")
        append(texts, &reply)
        sendMessages(&reply)
        round.add(self)
    }

    private func publish(_ texts: [[UInt8]]?, _ reply: inout ReplyBuffer) {
        reply.bytes.appendPushHeader(3, version)
        reply.bytes.appendBulk("message")
        reply.bytes.appendBulk(Self.trackingChannel.span.bytes)
        append(texts, &reply)
        sendMessages(&reply)
        round.add(self)
    }

    private func pushBroken(_ redirect: Int, _ reply: inout ReplyBuffer) {
        reply.bytes.appendPushHeader(2, version)
        reply.bytes.appendBulk("tracking-redir-broken")
        reply.bytes.appendInteger(redirect)
        sendMessages(&reply)
        round.add(self)
    }

    private func append(_ texts: [[UInt8]]?, _ reply: inout ReplyBuffer) {
        guard let texts else { return reply.bytes.appendNullArray(version) }
        reply.bytes.appendArrayHeader(texts.count)
        for text in texts { reply.bytes.appendBulk(text.span.bytes) }
    }
}
