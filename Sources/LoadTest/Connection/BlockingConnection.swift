import Groundwork

/// A client's connection that waits for its replies, at most twenty seconds each. For one thread at a time, and no loop's.
public struct BlockingConnection: ~Copyable, Sendable {
    private let socket: UnixSocket
    private var input = ReplyInput()

    /// Connects to the socket at `path`.
    public init(_ path: String) throws(ConnectionError) {
        socket = try UnixSocket(path)
        socket.limitWaits(toSeconds: 20)
    }

    /// Connects to a server, with its password.
    static func connect(to server: ServerAddress) throws(ConnectionError) -> BlockingConnection {
        var connection = try BlockingConnection(server.socket)
        if let password = server.password, case .error(let text) = try connection.ask(["AUTH", password.exposed]) {
            throw ConnectionError("AUTH: \(text)")
        }
        return connection
    }

    /// The socket, for somebody who does not wait for replies.
    consuming func release() -> UnixSocket { socket }

    /// Sends one request and waits for its reply.
    public mutating func ask(_ arguments: [String]) throws(ConnectionError) -> WireReply {
        try ask(each: [arguments])[0]
    }

    /// Sends requests together and waits for all their replies, as many as there are requests.
    public mutating func ask(each requests: [[String]]) throws(ConnectionError) -> [WireReply] {
        var bytes: [UInt8] = []
        for request in requests { RespRequest.append(request, to: &bytes) }
        var sent = 0
        while sent < bytes.count {
            let count = try socket.send(bytes, from: sent)
            guard count > 0 else { throw ConnectionError("nothing was taken within twenty seconds") }
            sent += count
        }
        var replies: [WireReply] = []
        while replies.count < requests.count {
            if let reply = try input.next() {
                replies.append(reply)
            } else if try !input.receive(from: socket) {
                throw ConnectionError("no reply within twenty seconds")
            }
        }
        return replies
    }
}
