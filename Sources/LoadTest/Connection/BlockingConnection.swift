import Glibc

/// A client's connection that waits for its replies, at most twenty seconds each. For one thread at a time, and no loop's.
public struct BlockingConnection: ~Copyable, Sendable {
    private let socket: UnixSocket
    private var input = ReplyInput()

    /// Connects to the socket at `path`.
    public init(_ path: String) throws(ConnectionError) {
        socket = try UnixSocket(path)
        socket.limitWaits(toSeconds: 20)
    }

    /// Sends one request and waits for its reply.
    public mutating func ask(_ arguments: [String]) throws(ConnectionError) -> WireReply {
        try ask(each: [arguments])[0]
    }

    /// Sends requests together and waits for all their replies, as many as there are requests.
    public mutating func ask(each requests: [[String]]) throws(ConnectionError) -> [WireReply] {
        var bytes: [UInt8] = []
        for request in requests { RespRequest.append(request, to: &bytes) }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                send(socket.descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 || errno == EINTR else { throw ConnectionError("send", errno) }
            rest = rest.dropFirst(max(0, count))
        }
        var replies: [WireReply] = []
        while replies.count < requests.count {
            if let reply = try input.next() {
                replies.append(reply)
            } else if try !input.receive(from: socket.descriptor), errno == EAGAIN {
                throw ConnectionError("no reply within twenty seconds")
            }
        }
        return replies
    }
}
