import RESP

/// From requests to commands.
extension ClientConnection {
    /// A reply that is larger waits for room when there is none.
    private static let largeReply = 64 << 10

    /// The one place where a request meets its command. `bytes` are all of it, as it came. What it answers is in `reply`
    /// afterwards, or in the queue.
    func execute(_ request: Request, _ bytes: RawSpan, _ reply: inout ReplyBuffer) {
        let mark = reply.mark
        if let command = CommandTable.standard.command(named: request[0]) {
            if !command.accepts(request.count) {
                reply.bytes.appendError(ErrorText.wrongNumberOfArguments(command.type.name))
            } else if !mayAskAnything, let refusal = refusal(of: command) {
                reply.bytes.appendError(refusal)
            } else {
                command.type.run(request, for: self, reply: &reply)
            }
        } else {
            let text = isAuthenticated ? Unsupported.text(request) ?? Self.unknown(request) : ErrorText.noAuthentication
            reply.bytes.appendError(text)
        }
        if !reply.isPlain || reply.byteCount > Self.largeReply { queue(&reply, from: mark, to: bytes) }
    }

    /// Executes a request that was kept, as ``execute(_:_:_:)`` does one that arrives.
    func replay(_ stored: [UInt8], _ reply: inout ReplyBuffer) {
        let bytes = stored.span.bytes
        var parser = RequestParser(limits: buffers.limits)
        guard case .request? = try? parser.parse(bytes) else { return }
        execute(parser.request(in: bytes), bytes, &reply)
    }

    /// Executes the request of a deferred reply, whose turn it is: what it answers goes in front of everything.
    func replay(_ deferred: PendingReply, _ reply: inout ReplyBuffer) {
        let stored = deferred.request
        let bytes = stored.span.bytes
        var parser = RequestParser(limits: buffers.limits)
        guard case .request? = try? parser.parse(bytes) else { return }
        let request = parser.request(in: bytes)
        let current = version
        version = deferred.version
        // It was allowed when it came, whatever the connection is like now.
        CommandTable.standard.command(named: request[0])?.type.run(request, for: self, reply: &reply)
        prepend(&reply, to: bytes)
        version = current
    }

    /// Redis' words, which Jedis and Lettuce look for.
    private static func unknown(_ request: Request) -> String {
        var text = "ERR unknown command '\(ErrorText.quoted(request.string(at: 0)))', with args beginning with: "
        for index in 1..<max(1, min(request.count, 9)) where text.utf8.count < 300 {
            text += "'\(ErrorText.quoted(request.string(at: index), limit: 64))' "
        }
        return text
    }
}
