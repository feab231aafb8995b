import CacheCore
import EventLoop
import Glibc
import Groundwork
import Logging
import RESP

/// The client connections of one loop, and what they share: a buffer for what arrives, one for what goes out, and the
/// holes that wait for loads. So an idle connection holds no buffer.
///
/// ``deliver(_:token:)`` may be called from any thread; everything else is the loop's thread's.
final class Clients: OutcomeSink, @unchecked Sendable {
    // Unchecked: but for `deliver`, which goes through `posted`, every use is on the loop's thread.

    let loop: EventLoop
    let context: ServerContext
    let counters: LoopCounters
    /// Those who are told of events.
    let subscribers: Subscribers
    private let index: Int

    /// Where recv(2) writes when a client's last request was complete.
    let input = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
    /// Where a value's fields are copied to be read.
    let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: Group.copyLimit, alignment: 16)
    /// Parses what is in `input`. Between events it is at the beginning of a request.
    var parser: RequestParser
    /// Where commands write. Empty between events.
    var reply = ReplyBuffer()
    private var holes = HoleTable()
    /// The token that the next hole has to have. A plain field, as every lookup reads it.
    private(set) var nextToken: UInt64 = 0

    private var connections: ContiguousArray<ClientConnection> = []
    /// Those whose replies became complete in this round.
    private var touched: ContiguousArray<ClientConnection> = []
    /// GETs that came alone, to be answered at the end of the round, and where each one's bytes begin in `input`.
    private var putOff: ContiguousArray<(connection: ClientConnection, get: PreparedGet, offset: Int)> = []
    /// Where the next recv(2) may write: behind the requests that were put off.
    private(set) var inputOffset = 0
    /// Replies to send at the end of the round, one behind the other, and whose they are.
    private var outgoing = OutputBuffer()
    private var recipients: ContiguousArray<(connection: ClientConnection, count: Int)> = []
    private var arrived: [Arrival] = []
    private var taken: [Arrival] = []
    private let posted = Groundwork.Mutex<[Arrival]>([])
    private var whenEmpty: (@Sendable () -> Void)?

    private struct Arrival: Sendable {
        let outcome: Outcome
        let token: UInt64
    }

    /// The clients of `loop`, which is the server's loop number `index`.
    init(of loop: EventLoop, index: Int, context: ServerContext) {
        self.loop = loop
        self.index = index
        self.context = context
        counters = context.counters[index]
        subscribers = Subscribers(on: loop, counters: counters, context: context)
        parser = RequestParser(limits: RequestLimits(requestBytes: context.settings.maxRequest))
        // Kept by the loop until that ends. (A weak reference would make every retain of this object take the slow path.)
        loop.submit { [self] in
            loop.afterEachRound { self.endRound() }
        }
    }

    deinit {
        input.deallocate()
        scratch.deallocate()
    }

    // MARK: Connections

    /// Takes over a connected socket. Loop's thread only.
    func adopt(_ descriptor: Int32, id: Int, credentials: PeerCredentials?) {
        let connection = ClientConnection(descriptor, id: id, clients: self, place: connections.count)
        do throws(SystemError) {
            try connection.start()
        } catch {
            context.logger.warning("dropping a client: \(error)")
            close(descriptor)
            context.clientLeft()
            return
        }
        connections.append(connection)
        context.directory.add(
            ClientRecord(id: id, loop: index, descriptor: descriptor, credentials: credentials, connected: loop.now))
        // The server is going: what this client sent meanwhile is answered, no more.
        if whenEmpty != nil { connection.finish() }
    }

    /// Forgets a connection that closed itself.
    func remove(_ connection: ClientConnection) {
        let place = connection.place
        guard place < connections.count, connections[place] === connection else { return }
        let last = connections.removeLast()
        if last !== connection {
            connections[place] = last
            last.place = place
        }
        subscribers.remove(connection)
        context.directory.remove(connection.id)
        context.clientLeft()
        if connections.isEmpty { reportEmpty() }
    }

    /// Reads no more requests, and closes each connection when it got its replies; then calls `done`.
    func drain(_ done: @escaping @Sendable () -> Void) {
        whenEmpty = done
        if connections.isEmpty { reportEmpty() }
        for connection in connections { connection.finish() }
    }

    /// Closes what is left.
    func closeAll() {
        for connection in connections { connection.close() }
    }

    private func reportEmpty() {
        guard let done = whenEmpty else { return }
        // Kept as a sign of going; the report itself comes once, as `done` sees to.
        done()
    }

    // MARK: Outcomes

    /// Adds a hole that has the token ``nextToken``.
    func add(_ hole: Hole) {
        holes.insert(hole)
        nextToken = holes.nextToken
        counters.pending.add(1)
    }

    /// Takes a hole out of its flight: nobody waits for it any more.
    func abandon(_ hole: Hole) {
        guard takeOut(hole.token) != nil else { return }
        hole.group.leave(hole.ticket)
    }

    func deliver(_ outcome: Outcome, token: UInt64) {
        let arrival = Arrival(outcome: outcome, token: token)
        guard loop.isCurrent else {
            let isFirst = posted.withLock { posted in
                posted.append(arrival)
                return posted.count == 1
            }
            if isFirst { loop.submit { [self] in takePosted() } }
            return
        }
        // Never at once: the getter may answer inside the very lookup that asked it.
        if arrived.isEmpty { loop.enqueue { [self] in takeArrived() } }
        arrived.append(arrival)
    }

    private func takeArrived() {
        // What arrives meanwhile goes into the other list; the two change places each time and keep their room.
        swap(&arrived, &taken)
        for index in taken.indices { fill(taken[index]) }
        taken.removeAll(keepingCapacity: taken.count < 4096)
    }

    private func takePosted() {
        let taken = posted.withLock { posted in
            let taken = posted
            posted = []
            return taken
        }
        for arrival in taken { fill(arrival) }
    }

    private func fill(_ arrival: Arrival) {
        takeOut(arrival.token)?.fill(arrival.outcome)
    }

    private func takeOut(_ token: UInt64) -> Hole? {
        guard let hole = holes.remove(token) else { return nil }
        nextToken = holes.nextToken
        counters.pending.add(-1)
        return hole
    }

    // MARK: Rounds

    /// Has `connection` send at the end of the round, with one system call for all that the round brought it.
    func touch(_ connection: ClientConnection) {
        guard !connection.isTouched else { return }
        connection.isTouched = true
        touched.append(connection)
    }

    /// Has `reply` sent to `connection` at the end of the round. So the clients of a round are woken one after the other when
    /// all of them were served, and their next requests come together.
    func post(_ reply: inout OutputBuffer, to connection: ClientConnection) {
        connection.hasPosted = true
        recipients.append((connection, reply.byteCount))
        outgoing.append(reply.bytes)
        reply.removeAll()
    }

    /// Has a GET answered at the end of the round: what it needs is on its way into the processor's cache meanwhile.
    func putOff(_ get: PreparedGet, at offset: Int, of connection: ClientConnection) {
        PreparedKey.prefetch(1, .slot) { _ in get.key }
        putOff.append((connection, get, offset))
        inputOffset = offset + get.request.end
        if inputOffset > input.count / 2 { answerPutOff() }
    }

    private func answerPutOff() {
        PreparedKey.prefetch(putOff.count, .record) { putOff[$0].get.key }
        for index in putOff.indices {
            let (connection, get, offset) = putOff[index]
            let bytes = UnsafeRawBufferPointer(rebasing: input[offset..<offset + get.request.end]).bytes
            connection.answerPutOff(get, in: bytes, &reply)
        }
        putOff.removeAll(keepingCapacity: true)
        inputOffset = 0
    }

    /// Answers what was put off, and sends what was posted.
    func endReceiving() {
        if !putOff.isEmpty { answerPutOff() }
        if !recipients.isEmpty { sendPosted() }
    }

    private func endRound() {
        endReceiving()
        flushTouched()
        loop.mayRest = holes.count == 0
    }

    /// Sends what was posted so far.
    func sendPosted() {
        var offset = 0
        // By index: sending can't post, and a copy of the list would be an allocation in each round.
        for index in recipients.indices {
            let (connection, count) = recipients[index]
            connection.hasPosted = false
            connection.sendPosted(outgoing.bytes.extracting(offset..<offset + count))
            offset += count
        }
        recipients.removeAll(keepingCapacity: recipients.count < 1024)
        outgoing.removeAll()
    }

    private func flushTouched() {
        guard !touched.isEmpty else { return }
        let connections = touched
        touched.removeAll(keepingCapacity: connections.count < 1024)
        for connection in connections {
            connection.isTouched = false
            connection.flush()
        }
    }
}
