import EventLoop
import Groundwork

/// What a ``RespLink`` tells, on its loop's thread. `now` is when the bytes were there, in nanoseconds.
protocol RespLinkOwner: AnyObject {
    /// So many replies came that are nothing but values.
    func link(_ link: RespLink, received plain: Int, at now: Int64)
    /// A reply came in which these elements are nil.
    func link(_ link: RespLink, receivedWithout missing: [Int], at now: Int64)
    /// An error came.
    func link(_ link: RespLink, receivedError text: String, at now: Int64)
    /// It is lost, and closed.
    func link(_ link: RespLink, lost reason: ConnectionError)
}

/// A client's connection of a load generator: requests are copied out, and of replies only their kinds are told.
///
/// On its loop's thread only.
final class RespLink: EventSource {
    private let socket: UnixSocket
    private let input: ReceiveBuffer
    private weak let owner: (any RespLinkOwner)?
    /// Nil from its end on.
    private var watch: DescriptorWatch?
    private var scanner = ReplyScanner()
    private var sent = 0
    /// What is to be sent.
    var output: [UInt8] = []

    /// Connects, and waits for the server's word on the password, if it asks for one. `input` is for all links of the loop.
    init(
        _ server: ServerAddress, on loop: EventLoop, input: ReceiveBuffer, owner: any RespLinkOwner
    ) throws(ConnectionError) {
        socket = try BlockingConnection.connect(to: server).release()
        socket.stopBlocking()
        (self.input, self.owner) = (input, owner)
        do {
            watch = try DescriptorWatch(socket.descriptor, on: loop, source: self)
        } catch {
            throw ConnectionError("\(error)")
        }
    }

    /// Sends what is in ``output``, as far as the kernel takes it; the rest follows by itself.
    func flush() {
        guard watch != nil, sent < output.count else { return }
        do throws(ConnectionError) {
            sent += try socket.send(output, from: sent)
        } catch {
            return lose(error)
        }
        if sent == output.count {
            output.removeAll(keepingCapacity: true)
            sent = 0
        }
        watch?.waitForWriting(!output.isEmpty)
    }

    /// Closes the connection; its owner is told nothing more.
    func close() {
        watch?.end()
        watch = nil
    }

    func ready(_ readiness: Readiness) {
        do throws(ConnectionError) {
            let count = try input.receive(from: socket)
            if count > 0 { try scan(count) }
            if watch?.waitsForWriting == true { flush() }
        } catch {
            lose(error)
        }
    }

    private func scan(_ count: Int) throws(ConnectionError) {
        let now = Instant.now().nanoseconds
        let bytes = input.bytes
        var offset = 0
        while offset < count, watch != nil {
            let (plain, odd) = try scanner.scan(bytes.span.bytes.extracting(first: count), from: &offset)
            if plain > 0 { owner?.link(self, received: plain, at: now) }
            switch odd {
            case nil: break
            case .missing: owner?.link(self, receivedWithout: scanner.missing, at: now)
            case .error: owner?.link(self, receivedError: scanner.error, at: now)
            }
            if odd != nil { scanner.forget() }
        }
    }

    private func lose(_ reason: ConnectionError) {
        guard watch != nil else { return }
        close()
        owner?.link(self, lost: reason)
    }
}

/// What a loop receives into: one for all of its links, as each is done with what came before the next receives.
final class ReceiveBuffer {
    private(set) var bytes = [UInt8](repeating: 0, count: 64 << 10)

    /// Reads once. 0 when there was nothing to read; throws at the connection's end.
    func receive(from socket: borrowing UnixSocket) throws(ConnectionError) -> Int {
        try socket.receive(into: &bytes)
    }
}
