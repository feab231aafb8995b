import Glibc
import Logging
import RESP

/// From bytes to commands.
extension ClientConnection {
    /// Once so much is to be sent it is sent, before the next request is executed: the output stays within the cache.
    private static let sendThreshold = 16 << 10
    /// The least room for one recv(2) behind a partial request.
    private static let receiveSize = 16 << 10

    /// One recv(2), and all requests that it completed. What does not fit waits in the kernel until the next round.
    func receive() {
        if partial != nil { return receiveBehindPartial() }
        let offset = clients.inputOffset
        let room = UnsafeMutableRawBufferPointer(rebasing: clients.input[offset...])
        let count = recv(descriptor, room.baseAddress, room.count, 0)
        guard count > 0 else { return inputEnded(count) }
        let bytes = UnsafeRawBufferPointer(rebasing: room[..<count]).bytes
        if putOff(bytes, at: offset) { return }
        let used = execute(bytes, &clients.parser, &clients.reply)
        if used < count { keep(bytes.extracting(droppingFirst: used)) }
    }

    private func receiveBehindPartial() {
        guard var partial = partial.take() else { return }
        let socket = descriptor
        let count = partial.bytes.appendRaw(capacity: Self.receiveSize) { output in
            output.withUnsafeMutableBytes { room, filled in
                let count = recv(socket, room.baseAddress.map { $0 + filled }, room.count - filled, 0)
                filled += max(0, count)
                return count
            }
        }
        guard count > 0 else {
            self.partial = consume partial
            return inputEnded(count)
        }
        execute(consume partial)
    }

    /// Executes what waits; keeps the rest.
    private func execute(_ partial: consuming PartialRequest) {
        var partial = partial
        var parser = RequestParser()
        swap(&parser, &partial.parser)
        let used = execute(partial.bytes.bytes, &parser, &clients.reply)
        swap(&parser, &partial.parser)
        partial.bytes.consume(used)
        if phase == .open, !partial.bytes.isEmpty { self.partial = consume partial }
    }

    /// Reads on when a bound was reached before and there is room again.
    func resumeIfRoom() {
        let settings = clients.context.settings
        guard isPaused, replies.pendingCount <= settings.maxPendingReplies / 2,
            replies.byteCount <= settings.maxOutput / 2
        else { return }
        isPaused = false
        guard phase == .open, let partial = partial.take() else { return }
        execute(partial)
    }

    /// Keeps the beginning of a request, with the parser that has seen it; the loop gets a new one.
    private func keep(_ rest: RawSpan) {
        guard phase == .open else { return }
        var parser = RequestParser(limits: RequestLimits(requestBytes: clients.context.settings.maxRequest))
        swap(&parser, &clients.parser)
        var partial = PartialRequest(parser: parser)
        partial.bytes.append(rest)
        self.partial = consume partial
    }

    private func inputEnded(_ result: Int) {
        if result < 0 {
            let code = errno
            if code == EAGAIN || code == EINTR { return }
            phase = .broken
        } else {
            phase = .finishing
        }
        partial = nil
    }

    /// Executes the requests at the beginning of `bytes`, in order, until one is not whole or a bound is reached. Returns
    /// how many bytes they took.
    private func execute(_ bytes: RawSpan, _ parser: inout RequestParser, _ reply: inout ReplyBuffer) -> Int {
        var used = 0
        var count = 0
        do throws(ProtocolError) {
            requests: while isReading {
                if mayAskAnything, parser.isAtBeginning {
                    let run = executeGets(bytes, from: used, limit: parser.requestLimit, &reply)
                    used = run.end
                    count += run.count
                    if reply.byteCount >= Self.sendThreshold { transmit(&reply) }
                    if run.count > 0 { continue }
                }
                let rest = bytes.extracting(droppingFirst: used)
                switch try parser.parse(rest) {
                case .incomplete: break requests
                case .empty(let length): used += length
                case .request(let length):
                    execute(parser.request(in: rest), &reply)
                    used += length
                    count += 1
                    if reply.byteCount >= Self.sendThreshold { transmit(&reply) }
                }
            }
        } catch {
            refuse(error, &reply)
        }
        clients.counters.commands.add(count)
        transmitLater(&reply)
        return used
    }

    /// Nobody knows where the next request would begin. Another protocol's client gets no answer, as from Redis.
    private func refuse(_ error: ProtocolError, _ reply: inout ReplyBuffer) {
        clients.counters.protocolErrors.add(1)
        clients.context.logger.debug("client \(id): \(error.message)")
        if error != .crossProtocol { reply.bytes.appendError(error) }
        phase = .finishing
    }

    private func execute(_ request: Request, _ reply: inout ReplyBuffer) {
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
        if !reply.isPlain { queue(&reply, from: mark) }
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
