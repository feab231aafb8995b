public import EventLoop

/// A client's connection on an event loop, to a sidecar or any other server that speaks RESP: requests are sent as many as
/// you like at a time, replies are handed over in their order.
///
/// Everything is for the loop's thread alone. Its owner keeps it; it keeps neither.
public final class PipelinedConnection: EventSource {
    private let socket: UnixSocket
    /// Nil from its end on.
    private var watch: DescriptorWatch?
    private var input = ReplyInput()
    private var output: [UInt8] = []
    private var sent = 0
    private var onReply: (WireReply) -> Void
    private var onEnd: (ConnectionError) -> Void

    /// Connects to the socket at `path`.
    ///
    /// - Parameters:
    ///   - onReply: Called for each reply.
    ///   - onEnd: Called once when the connection ended otherwise than by ``close()``.
    public init(
        _ path: String, on loop: EventLoop, onReply: @escaping (WireReply) -> Void,
        onEnd: @escaping (ConnectionError) -> Void
    ) throws(ConnectionError) {
        socket = try UnixSocket(path)
        socket.stopBlocking()
        self.onReply = onReply
        self.onEnd = onEnd
        do {
            watch = try DescriptorWatch(socket.descriptor, on: loop, source: self)
        } catch {
            throw ConnectionError("\(error)")
        }
    }

    /// Puts a request behind those that are to be sent.
    public func append(_ arguments: [String]) {
        RespRequest.append(arguments, to: &output)
    }

    /// Sends what was put together, as far as the kernel takes it; the rest follows by itself.
    public func flush() {
        guard watch != nil, sent < output.count else { return }
        do throws(ConnectionError) {
            sent += try socket.send(output, from: sent)
        } catch {
            return end(error)
        }
        if sent == output.count {
            output.removeAll(keepingCapacity: true)
            sent = 0
        }
        watch?.waitForWriting(!output.isEmpty)
    }

    /// Closes the connection; no reply is handed over from now on.
    public func close() {
        guard let watch else { return }
        self.watch = nil
        watch.end()
        onReply = { _ in }
        onEnd = { _ in }
    }

    /// Receives and sends what can be received and sent. For the loop.
    public func ready(_ readiness: Readiness) {
        do throws(ConnectionError) {
            if try input.receive(from: socket) {
                while watch != nil, let reply = try input.next() { onReply(reply) }
            }
            flush()
        } catch {
            end(error)
        }
    }

    private func end(_ error: ConnectionError) {
        let tell = onEnd
        close()
        tell(error)
    }
}
