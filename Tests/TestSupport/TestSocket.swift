import Glibc
import Machine

/// A connected socket whose calls give up after two minutes.
final class TestSocket: Sendable {
    let descriptor: Int32

    /// Connects to a Unix socket.
    init(_ path: String) throws {
        descriptor = try Self.open(AF_UNIX)
        guard UnixAddress.connect(descriptor, to: path) == 0 else {
            throw Failure("connect to \(path): errno \(errno)")
        }
    }

    /// Connects to a port of this machine.
    init(port: Int) throws {
        descriptor = try Self.open(AF_INET)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw Failure("connect to port \(port): errno \(errno)") }
    }

    private static func open(_ family: Int32) throws -> Int32 {
        let descriptor = socket(family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw Failure("socket: errno \(errno)") }
        var patience = timeval(tv_sec: 120, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        return descriptor
    }

    deinit { close(descriptor) }

    /// Sends all of it.
    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress.map { $0 + sent }, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Failure("send: errno \(errno)") }
            sent += count
        }
    }

    /// What comes next; empty at the end, be it abrupt.
    func receive() throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 64 << 10)
        var count = recv(descriptor, &bytes, bytes.count, 0)
        // The process was stopped and goes on: a wait that has a timeout does not begin again by itself.
        while count < 0, errno == EINTR { count = recv(descriptor, &bytes, bytes.count, 0) }
        guard count >= 0 || errno == ECONNRESET || errno == EPIPE else { throw Failure("recv: errno \(errno)") }
        return Array(bytes[..<max(0, count)])
    }
}
