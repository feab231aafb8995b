import Glibc

/// A client with a blocking Unix socket, which gives up after two minutes.
package final class TestClient: @unchecked Sendable {
    // Unchecked: one thread sends and one receives, and those share the descriptor alone.
    private let socket: TestSocket
    private var parser = ReplyParser()
    private var received: [UInt8] = []

    /// Connects to a socket.
    package init(_ path: String) throws { socket = try TestSocket(path) }

    private var descriptor: Int32 { socket.descriptor }

    /// Sends raw bytes.
    package func send(raw bytes: [UInt8]) throws { try socket.send(bytes) }

    /// Sends what may be no request.
    package func send(raw text: String) throws {
        try send(raw: Array(text.utf8))
    }

    /// Sends as much as the server takes within a moment; returns how much.
    package func sendUntilBlocked(_ bytes: [UInt8]) -> Int {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(
                    descriptor, $0.baseAddress.map { $0 + sent }, bytes.count - sent,
                    Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            }
            if count > 0 {
                sent += count
                continue
            }
            var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            if poll(&waiting, 1, 300) <= 0 { break }
        }
        return sent
    }

    /// Sends a request as an array of bulk strings.
    package func send(_ arguments: String...) throws { try send(arguments) }

    /// The same.
    package func send(_ arguments: [String]) throws { try send(raw: Self.encoded(arguments)) }

    /// A request as an array of bulk strings.
    package static func encoded(_ arguments: [String]) -> [UInt8] {
        var bytes = Array("*\(arguments.count)\r\n".utf8)
        for argument in arguments { bytes += Array("$\(argument.utf8.count)\r\n\(argument)\r\n".utf8) }
        return bytes
    }

    /// The next reply.
    package func receive() throws -> Reply {
        while true {
            let bytes = received
            switch try parser.parse(bytes.span.bytes) {
            case .reply(let reply, let count):
                received.removeFirst(count)
                return reply
            case .incomplete:
                guard try receiveMore() else { throw Failure("closed") }
            }
        }
    }

    /// Sends a request and gives the next reply.
    package func ask(_ arguments: String...) throws -> Reply {
        try send(raw: Self.encoded(arguments))
        return try receive()
    }

    /// Whether the server closed, with nothing left to read.
    package func isAtEnd() throws -> Bool {
        guard received.isEmpty else { return false }
        return try !receiveMore()
    }

    /// How many bytes can be read at once.
    package var waiting: Int {
        var count: Int32 = 0
        return ioctl(descriptor, UInt(FIONREAD), &count) == 0 ? Int(count) : 0
    }

    /// Whether anything can be read within a moment.
    package func hasInput(within milliseconds: Int32) -> Bool {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&waiting, 1, milliseconds) > 0
    }

    /// Shuts both directions; the descriptor is closed with the client. Abruptly: with something left to read.
    package func end(abruptly: Bool) {
        if abruptly { try? send("PING") }
        shutdown(descriptor, Int32(SHUT_RDWR))
    }

    /// Says that no more requests come.
    package func shutWrite() {
        shutdown(descriptor, Int32(SHUT_WR))
    }

    /// Reads as many bytes as `expected` has, at most so many at a time. Returns whether they are the same. Not to be mixed
    /// with ``receive()``.
    package func receives(_ expected: [UInt8], atMost count: Int = 256 << 10) throws -> Bool {
        try withUnsafeTemporaryAllocation(byteCount: count, alignment: 16) { buffer in
            try expected.withUnsafeBytes { expected in
                var offset = 0
                while offset < expected.count {
                    let received = recv(descriptor, buffer.baseAddress, min(count, expected.count - offset), 0)
                    guard received >= 0 else { throw Failure("recv: errno \(errno)") }
                    guard received > 0, let base = buffer.baseAddress, let wanted = expected.baseAddress,
                        memcmp(base, wanted + offset, received) == 0
                    else { return false }
                    offset += received
                }
                return true
            }
        }
    }

    private func receiveMore() throws -> Bool {
        let bytes = try socket.receive()
        received += bytes
        return !bytes.isEmpty
    }
}
