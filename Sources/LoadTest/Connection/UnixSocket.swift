import Glibc
import Groundwork
import Machine

/// A connected Unix socket, closed at its end.
struct UnixSocket: ~Copyable, Sendable {
    let descriptor: Int32

    /// Connects to the socket at `path`. Blocks for as long as its backlog is full.
    init(_ path: String) throws(ConnectionError) {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw ConnectionError("socket", errno) }
        guard UnixAddress.connect(descriptor, to: path) == 0 else {
            let code = errno
            close(descriptor)
            throw ConnectionError("connect to \(path)", code)
        }
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    /// Receives once, behind the first `offset` bytes. 0 when there is nothing yet, or was not in time; throws at the
    /// connection's end.
    func receive(into bytes: inout [UInt8], from offset: Int = 0) throws(ConnectionError) -> Int {
        var count: Int
        repeat {
            count = bytes.withUnsafeMutableBytes { buffer in
                recv(descriptor, buffer.baseAddress.map { $0 + offset }, buffer.count - offset, 0)
            }
        } while count < 0 && errno == EINTR
        if count > 0 { return count }
        if count == 0 { throw ConnectionError("the server closed the connection") }
        if errno == EAGAIN { return 0 }
        throw ConnectionError("recv", errno)
    }

    /// Sends what stands behind the first `offset` bytes, once. Returns how many the kernel took; 0 when it takes none yet, or
    /// did not in time.
    func send(_ bytes: [UInt8], from offset: Int) throws(ConnectionError) -> Int {
        var count: Int
        repeat {
            count = bytes.withUnsafeBytes { buffer in
                Glibc.send(
                    descriptor, buffer.baseAddress.map { $0 + offset }, buffer.count - offset, Int32(MSG_NOSIGNAL))
            }
        } while count < 0 && errno == EINTR
        if count >= 0 { return count }
        if errno == EAGAIN { return 0 }
        throw ConnectionError("send", errno)
    }

    /// Lets no call wait any more.
    func stopBlocking() { _ = fcntl(descriptor, F_SETFL, O_NONBLOCK) }

    /// Lets no call wait longer than this.
    func limitWaits(toSeconds seconds: Int) {
        var patience = timeval(tv_sec: seconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    }
}

/// Why a connection can't be used.
public struct ConnectionError: Error, CustomStringConvertible, Sendable {
    /// What was tried, and the system's word for why it failed.
    public let description: String

    init(_ call: String, _ code: Int32) {
        description = "\(call): \(String(cString: strerror(code)))"
    }

    init(_ description: String) {
        self.description = description
    }
}
