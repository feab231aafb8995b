import RESP

/// From requests to commands.
extension ClientConnection {
    /// A reply that is larger waits for room when there is none.
    private static let largeReply = 64 << 10

    /// The one place where a request meets its command. `bytes` are all of it, as it came. What it answers is in `reply`
    /// afterwards, or in the queue.
    func execute(_ request: Request, _ bytes: RawSpan, _ reply: inout ReplyBuffer) {
        let start = reply.end
        rewritten.endRequest()
        guard let command = CommandTable.standard.command(named: request[0]) else {
            return reject(
                isAuthenticated ? Unsupported.text(request) ?? Self.unknown(request) : ErrorText.noAuthentication,
                &reply)
        }
        activity.executes(command.index)
        guard command.arity.accepts(request.count) else {
            return reject(ErrorText.wrongNumberOfArguments(command.type.name), &reply)
        }
        if !mayAskAnything {
            if let refusal = refusal(of: command) { return reject(refusal, &reply) }
            if transaction != nil {
                switch command.inTransaction {
                case .executed: break
                case .queued:
                    if let mistake = command.type.mistake(in: request) { return reject(mistake, &reply) }
                    return enqueue(bytes, &reply)
                case .refused: return reject("ERR \(command.type.name.uppercased()) is not for transactions", &reply)
                }
            }
        }
        if command.isForAdministrators, !isAdministrator {
            return reject(ErrorText.onlyForAdministrators(command.type.name), &reply)
        }
        if tracking != nil { noteReading(request, command) }
        command.type.run(request, for: self, reply: &reply)
        if tracking != nil { endCaching(behind: command) }
        // The requests of a transaction were queued one by one.
        if command.type == Exec.self { return }
        if !reply.isPlain || reply.byteCount > Self.largeReply {
            queue(&reply, from: start, to: bytes, isRepeatable: command.isRepeatable)
        }
    }

    /// Answers a request that is not executed by an error. In a transaction nothing is, then.
    func reject(_ error: String, _ reply: inout ReplyBuffer) {
        reply.bytes.appendError(error)
        transaction?.isAborted = true
    }

    /// Whether the client's user may run what concerns all clients.
    var isAdministrator: Bool {
        guard let users = server.admission.adminUsers else { return true }
        return server.directory.record(of: id)?.credentials.map { users.contains($0.user) } ?? false
    }

    /// Executes the request of a deferred reply, whose turn it is: what it answers goes in front of everything.
    func replay(_ deferred: PendingReply, _ reply: inout ReplyBuffer) {
        let stored = deferred.request
        let bytes = stored.span.bytes
        var parser = RequestParser(limits: buffers.limits)
        guard case .request? = try? parser.parse(bytes) else { return }
        rewritten.endRequest()
        let request = parser.request(in: bytes)
        let current = version
        version = deferred.version
        // It was allowed when it came, whatever the connection is like now.
        guard let command = CommandTable.standard.command(named: request[0]) else { return }
        noteReadingAgain(request, command, deferred)
        command.type.runAgain(request, for: self, reply: &reply)
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
