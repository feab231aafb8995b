import EventLoop
import Glibc
import Groundwork
import Logging
import RESP

/// From bytes to requests.
extension ClientConnection {
    /// Once replies have so many bytes, they are sent before the next request is executed: the output stays within the
    /// processor's cache.
    private static let sendThreshold = 16 << 10
    /// The least room for one recv(2) behind what is stored.
    private static let receiveSize = 16 << 10
    /// How much of what is stored is executed in one turn, as much as one recv(2) brings at once; or less, when it takes longer:
    /// a few bytes can ask for much.
    private static let turn = 64 << 10
    private static let turnTime: Duration = .milliseconds(1)
    /// What a client may have stored, and have waiting for it, before it gave the password.
    static let limitBeforePassword = 16 << 10

    /// One recv(2), and all requests that it completed. What does not fit waits in the kernel until the next round.
    /// Unless told so behind what is stored it is executed later.
    func receive(_ reply: inout ReplyBuffer, executing: Bool = true) {
        if phase != .open { return discard() }
        if stored != nil { return receiveBehindStored(&reply, executing: executing) }
        switch receive(into: buffers.input) {
        case .bytes(let count):
            let bytes = UnsafeRawBufferPointer(rebasing: buffers.input[..<count]).bytes
            let (used, isIncomplete) = execute(bytes, &buffers.parser, &reply)
            if used < count { store(bytes.extracting(droppingFirst: used), isIncomplete: isIncomplete, &reply) }
        case .nothing: break
        case .end: phase = .ending
        case .gone: phase = .broken
        }
    }

    private func receive(into room: UnsafeMutableRawBufferPointer) -> ClientSocket.Received {
        let received = socket.receive(room)
        if case .bytes(room.count) = received { isDrained = false }
        return received
    }

    private func receiveBehindStored(_ reply: inout ReplyBuffer, executing: Bool) {
        let room = Self.receiveSize
        let received = stored?.bytes.appendRaw(capacity: room) { output in
            output.withUnsafeMutableBytes { memory, filled in
                let free = memory[filled..<min(memory.count, filled + 4 * room)]
                let received = receive(into: UnsafeMutableRawBufferPointer(rebasing: free))
                if case .bytes(let count) = received { filled += count }
                return received
            }
        }
        switch received {
        case .bytes(let count)?:
            inputPace.taken += count
            stored?.isIncomplete = false
            if executing, isExecuting { executeStored(&reply) }
        case .nothing?, nil: break
        case .end?: phase = .ending
        case .gone?: phase = .broken
        }
    }

    /// Executes a turn's worth of what is stored; keeps the rest.
    func executeStored(_ reply: inout ReplyBuffer) {
        guard var stored = stored.take() else { return }
        var parser = RequestParser()
        swap(&parser, &stored.parser)
        let (used, isIncomplete) = execute(stored.bytes.bytes, &parser, &reply)
        swap(&parser, &stored.parser)
        stored.bytes.consume(used)
        stored.isIncomplete = isIncomplete
        guard !stored.bytes.isEmpty else { return }
        self.stored = consume stored
        if isIncomplete { boundIncomplete(&reply) }
    }

    /// Keeps what was not executed, with the parser that has seen its beginning.
    private func store(_ rest: RawSpan, isIncomplete: Bool, _ reply: inout ReplyBuffer) {
        // Also when nothing is kept: what the parser saw of this client's request must not meet the next client's.
        let parser = buffers.takeParser()
        guard phase == .open else { return }
        var stored = StoredInput(parser: parser)
        stored.bytes.append(rest)
        stored.isIncomplete = isIncomplete
        self.stored = consume stored
        if isIncomplete { boundIncomplete(&reply) }
    }

    /// Whether more may be stored. The rest of a request always may: else it would never be executed.
    var hasRoomForInput: Bool {
        guard let count = stored?.bytes.byteCount, stored?.isIncomplete == false else { return true }
        return count < inputLimit && (count < StoredInput.free || !server.input.isFull)
    }

    /// Whether more could be stored if others had less.
    var waitsForInput: Bool {
        guard let count = stored?.bytes.byteCount, stored?.isIncomplete == false else { return false }
        return count < inputLimit && count >= StoredInput.free && server.input.isFull
    }

    private var inputLimit: Int { isAuthenticated ? server.settings.maxPipeline : Self.limitBeforePassword }

    /// A request that does not fit into what all clients together may have stored is refused: it can't wait for others that
    /// wait for the rest of theirs.
    private func boundIncomplete(_ reply: inout ReplyBuffer) {
        guard phase == .open, let charged = stored?.chargedBytes, charged > chargedInput, server.input.isFull else {
            return
        }
        server.input.noteRefusal(at: loop.now)
        refuse("BUSY too many bytes of requests are on their way (max_buffers)", &reply)
    }

    /// Brings up to date what is held against all clients' input.
    func chargeInput() {
        let charged = stored?.chargedBytes ?? 0
        guard charged != chargedInput else { return }
        if chargedInput == 0 { inputPace = TransferPace(at: loop.now) }
        if charged > chargedInput {
            server.input.add(charged - chargedInput)
        } else {
            server.input.remove(chargedInput - charged)
        }
        chargedInput = charged
    }

    /// Whether it takes of what all clients may have for a request of which the rest has not come.
    var holdsPartOfRequest: Bool { chargedInput > 0 && stored?.isIncomplete == true }

    /// Whether the client may keep so many bytes more here between its requests: what waits for EXEC, names that it watches
    /// or subscribed to. All clients' may take half of what all input may.
    func mayKeep(_ bytes: Int) -> Bool {
        let charged = max(0, keptBytes + bytes - StoredInput.free)
        return charged <= chargedKept || server.input.hasRoom(for: charged - chargedKept, below: server.input.limit / 2)
    }

    /// Notes that it keeps so many more, or fewer.
    func keeps(_ bytes: Int) {
        guard bytes != 0 else { return }
        keptBytes += bytes
        let charged = max(0, keptBytes - StoredInput.free)
        if charged > chargedKept {
            server.input.add(charged - chargedKept)
        } else {
            server.input.remove(chargedKept - charged)
        }
        chargedKept = charged
    }

    private func discard() {
        switch receive(into: buffers.input) {
        case .bytes, .nothing: break
        case .end: phase = phase == .lingering ? .broken : .finishing
        case .gone: phase = .broken
        }
    }

    /// Executes the requests at the beginning of `bytes`, in order, until one is not whole, a bound is reached or it's another
    /// client's turn, and sends their replies. Returns how many bytes they took, and whether what is left is no whole request.
    private func execute(
        _ bytes: RawSpan, _ parser: inout RequestParser, _ reply: inout ReplyBuffer
    ) -> (used: Int, isIncomplete: Bool) {
        var used = 0
        var count = 0
        var isIncomplete = false
        // The time is not looked at for requests that came alone.
        var end: Instant?
        do throws(ProtocolError) {
            requests: while isExecuting, used < min(bytes.byteCount, Self.turn) {
                if used > 0 {
                    let now = Instant.now()
                    if let end, now >= end { break }
                    if end == nil { end = now + Self.turnTime }
                }
                if mayAskAnything, parser.isAtBeginning {
                    let run = executeGets(bytes, from: used, limit: parser.requestLimit, &reply)
                    used = run.end
                    count += run.count
                    if reply.byteCount >= Self.sendThreshold { transmit(&reply) }
                    if run.count > 0 {
                        activity.executes(CommandTable.get)
                        continue
                    }
                }
                let rest = bytes.extracting(droppingFirst: used)
                switch try parser.parse(rest) {
                case .incomplete(let needed):
                    if !isAuthenticated, needed > Self.limitBeforePassword { throw .requestTooBig }
                    isIncomplete = true
                    break requests
                case .empty(let length): used += length
                case .request(let length):
                    execute(parser.request(in: rest), rest.extracting(first: length), &reply)
                    used += length
                    count += 1
                    if reply.byteCount >= Self.sendThreshold { transmit(&reply) }
                }
            }
        } catch {
            refuse(error, &reply)
        }
        counters.commands.add(count)
        transmit(&reply)
        return (used, isIncomplete)
    }

    /// Nobody knows where the next request would begin. Another protocol's client gets no answer, as from Redis.
    private func refuse(_ error: ProtocolError, _ reply: inout ReplyBuffer) {
        counters.protocolErrors.add(1)
        server.logger.debug("client \(id): \(error.message)")
        guard error != .crossProtocol else {
            phase = .finishing
            return
        }
        reply.bytes.appendError(error)
        phase = .refusing
    }

    private func refuse(_ text: String, _ reply: inout ReplyBuffer) {
        reply.bytes.appendError(text)
        phase = .refusing
        transmit(&reply)
    }
}
