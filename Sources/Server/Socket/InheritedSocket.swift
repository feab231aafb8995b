import CLinux
import Glibc

/// The listening socket that systemd opened for this process (socket activation, sd_listen_fds(3)).
enum InheritedSocket {
    /// The first descriptor that is handed over, by systemd's convention.
    static let first: Int32 = 3

    /// Whether systemd handed over sockets to this process.
    static func isOffered(environment: (String) -> String? = variable) -> Bool {
        environment("LISTEN_PID") == String(getpid())
            && (environment("LISTEN_FDS").flatMap { Int($0) } ?? 0) > 0
    }

    /// The descriptor, made non-blocking and not to be inherited further; nil when there is none for this process. Of
    /// several the first is taken.
    static func take(environment: (String) -> String? = variable) throws(ServerError) -> Int32? {
        guard isOffered(environment: environment) else { return nil }
        guard isListeningUnixSocket(first) else {
            throw ServerError(
                .badInheritedSocket, "the descriptor that systemd handed over is no listening Unix stream socket")
        }
        pgs_take_bytes_alone(first)
        _ = fcntl(first, F_SETFD, FD_CLOEXEC)
        _ = fcntl(first, F_SETFL, fcntl(first, F_GETFL) | O_NONBLOCK)
        return first
    }

    private static func isListeningUnixSocket(_ descriptor: Int32) -> Bool {
        option(SO_ACCEPTCONN, of: descriptor) == 1 && option(SO_DOMAIN, of: descriptor) == AF_UNIX
            && option(SO_TYPE, of: descriptor) == Int32(SOCK_STREAM.rawValue)
    }

    private static func option(_ name: Int32, of descriptor: Int32) -> Int32? {
        var value: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(descriptor, SOL_SOCKET, name, &value, &length) == 0 ? value : nil
    }

    private static func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }
}
