import CLinux
import Glibc

/// A client's socket, and the only holder of its descriptor: that is closed once, and nothing is sent or read afterwards.
struct ClientSocket: ~Copyable {
    /// What became of bytes that were to be sent.
    enum Sent {
        case all
        /// So many, and the kernel takes no more for now.
        case some(Int)
        /// Nobody is there to read.
        case gone
    }

    /// What was there to read.
    enum Received {
        case bytes(Int)
        case nothing
        /// The client sends no more.
        case end
        case gone
    }

    /// The descriptor, for epoll and for `CLIENT LIST`; -1 when it is closed.
    private(set) var descriptor: Int32

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
    }

    deinit {
        if descriptor >= 0 { _ = Glibc.close(descriptor) }
    }

    /// One send(2).
    func send(_ bytes: UnsafeRawBufferPointer) -> Sent {
        guard descriptor >= 0 else { return .gone }
        var count: Int
        repeat {
            count = pgs_send(descriptor, bytes.baseAddress, bytes.count)
        } while count < 0 && errno == EINTR
        if count == bytes.count { return .all }
        if count < 0, errno != EAGAIN, errno != ENOBUFS { return .gone }
        return .some(max(0, count))
    }

    /// Whether the client never could send more than bytes: descriptors, or credentials.
    var takesBytesAlone: Bool { pgs_takes_bytes_alone(descriptor) }

    /// One recv(2). One that brings less than there was room for took all that was there (epoll(7)), but for what is behind an
    /// urgent byte (MSG_OOB), or what came along with bytes.
    func receive(_ room: UnsafeMutableRawBufferPointer) -> Received {
        guard descriptor >= 0 else { return .gone }
        var count: Int
        repeat {
            count = pgs_recv(descriptor, room.baseAddress, room.count)
        } while count < 0 && errno == EINTR
        if count > 0 { return .bytes(count) }
        if count == 0 { return .end }
        return errno == EAGAIN ? .nothing : .gone
    }

    /// Lets the client send no more: what it sent until now can be read to its end, what it sends later fails there at once.
    /// The kernel does both under one lock, so nothing is lost in between (Linux, `unix_stream_sendmsg`).
    func endReceiving() {
        if descriptor >= 0 { shutdown(descriptor, Int32(SHUT_RD)) }
    }

    /// Tells the client that nothing more comes; what it still sends can be read.
    func endSending() {
        if descriptor >= 0 { shutdown(descriptor, Int32(SHUT_WR)) }
    }

    /// Closes it, unless it is.
    mutating func close() {
        guard descriptor >= 0 else { return }
        _ = Glibc.close(descriptor)
        descriptor = -1
    }
}
