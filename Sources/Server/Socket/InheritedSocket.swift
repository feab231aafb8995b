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
        pgs_socket_option(descriptor, SO_ACCEPTCONN) == 1 && pgs_socket_option(descriptor, SO_DOMAIN) == AF_UNIX
            && pgs_socket_option(descriptor, SO_TYPE) == Int32(SOCK_STREAM.rawValue)
    }

    private static func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }
}
