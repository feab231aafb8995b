import Logging
import RESP

/// Redis' publish and subscribe, as far as it is about keyspace events.
extension ClientConnection {
    /// Messages are sent once they have so many bytes.
    private static let sendThreshold = 16 << 10

    /// Whether only the few commands may be asked that RESP2 has for a client that subscribed: it can tell a message from a
    /// reply only because there are no other replies. In RESP3 messages are pushes.
    var isInSubscribedMode: Bool {
        switch version {
        case .resp2: !subscriptions.isEmpty
        case .resp3: false
        }
    }

    /// Why a command can't be asked now; nil: it can.
    func refusal(of command: CommandTable.Entry) -> String? {
        if !isAuthenticated, !command.needsNoPassword { return ErrorText.noAuthentication }
        if isInSubscribedMode, !command.isForSubscribers {
            return "ERR Can't execute '\(command.type.name)': only (P)SUBSCRIBE / (P)UNSUBSCRIBE / PING / QUIT / RESET "
                + "are allowed in this context"
        }
        return nil
    }

    /// Subscribes to what the request names; appends one reply for each.
    func subscribe(to kind: Subscriptions.Kind, _ request: Request, word: String, _ reply: inout ReplyBuffer) {
        var byteCount = 0
        var patterns: [Glob] = []
        for index in 1..<request.count {
            switch kind {
            case .channel: byteCount += request[index].byteCount
            case .pattern:
                guard let pattern = Glob(request[index]) else { return reply.bytes.appendError(Glob.tooComplex) }
                patterns.append(pattern)
                byteCount += pattern.cost
            }
        }
        guard subscriptions.hasRoom(count: request.count - 1, byteCount: byteCount) else {
            reply.bytes.appendError("ERR a client's subscriptions may take at most \(Subscriptions.limit) bytes")
            return
        }
        let before = subscriptions.byteCount
        guard mayKeep(byteCount + (request.count - 1) * Subscriptions.overhead) else {
            return reply.bytes.appendError(ErrorText.tooMuchKept)
        }
        var changes: [Subscriptions.Change] = []
        for index in 1..<request.count {
            let change =
                switch kind {
                case .channel: subscriptions.insert(request[index].withUnsafeBytes { Array($0) })
                case .pattern: subscriptions.insert(patterns[index - 1])
                }
            if let change { changes.append(change) }
            confirm(word, request[index], to: &reply)
        }
        keeps(subscriptions.byteCount - before)
        subscribers.update(self, changes)
    }

    /// Ends the subscriptions that the request names, or all of the kind when it names none; appends one reply for each.
    func unsubscribe(from kind: Subscriptions.Kind, _ request: Request, word: String, _ reply: inout ReplyBuffer) {
        let before = subscriptions.byteCount
        var changes: [Subscriptions.Change] = []
        if request.count > 1 {
            for index in 1..<request.count {
                let name = request[index].withUnsafeBytes { Array($0) }
                if let change = subscriptions.remove(name, kind) { changes.append(change) }
                confirm(word, request[index], to: &reply)
            }
        } else if subscriptions.names(kind).isEmpty {
            confirm(word, nil, to: &reply)
        } else {
            for name in subscriptions.names(kind) {
                if let change = subscriptions.remove(name, kind) { changes.append(change) }
                confirm(word, name.span.bytes, to: &reply)
            }
        }
        keeps(subscriptions.byteCount - before)
        subscribers.update(self, changes)
    }

    private func confirm(_ word: String, _ name: RawSpan?, to reply: inout ReplyBuffer) {
        reply.bytes.appendPushHeader(3, version)
        reply.bytes.appendBulk(word)
        if let name { reply.bytes.appendBulk(name) } else { reply.bytes.appendNull(version) }
        reply.bytes.appendInteger(subscriptions.count)
    }

    /// Sends those messages that the client subscribed to. To be called between events.
    func tell(_ messages: [KeyspaceEvent.Message]) {
        tell(messages, &buffers.reply)
        round.add(self)
    }

    private func tell(_ messages: [KeyspaceEvent.Message], _ reply: inout ReplyBuffer) {
        for message in messages where phase == .open {
            append(message, &reply)
            if reply.byteCount >= Self.sendThreshold { sendMessages(&reply) }
        }
        sendMessages(&reply)
    }

    private func append(_ message: KeyspaceEvent.Message, _ reply: inout ReplyBuffer) {
        if subscriptions.channels.contains(message.channel) {
            reply.bytes.appendPushHeader(3, version)
            reply.bytes.appendBulk("message")
            append(message.channel, message.text, &reply)
        }
        for pattern in subscriptions.patterns.values where pattern.matches(message.channel) {
            reply.bytes.appendPushHeader(4, version)
            reply.bytes.appendBulk("pmessage")
            reply.bytes.appendBulk(pattern.bytes.span.bytes)
            append(message.channel, message.text, &reply)
        }
    }

    private func append(_ channel: [UInt8], _ text: [UInt8], _ reply: inout ReplyBuffer) {
        reply.bytes.appendBulk(channel.span.bytes)
        reply.bytes.appendBulk(text.span.bytes)
    }

    /// Sends what the client did not ask for.
    func sendMessages(_ reply: inout ReplyBuffer) {
        transmit(&reply)
        // It can't be asked to wait: events don't. Where others hold all the room, one that waits for a load may have a little.
        let holdsMuch = isBlocked || replies.byteCount > PendingReply.shortReply
        if replies.byteCount > server.settings.maxOutput {
            close(because: .beyondOutput)
        } else if !replies.isEmpty, holdsMuch, server.output.isFull {
            close(because: .withoutRoom)
        }
    }
}
