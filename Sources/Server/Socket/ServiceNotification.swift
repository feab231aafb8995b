import CLinux
import Glibc
import Machine

/// Tells the service manager how the service is doing: sd_notify(3), one datagram to the socket named in `NOTIFY_SOCKET`.
public enum ServiceNotification: String, Sendable {
    /// Clients can connect.
    case ready = "READY=1"
    /// The settings are being read again; `ready` follows.
    case reloading = "RELOADING=1"
    /// The service is about to end.
    case stopping = "STOPPING=1"

    /// Sends it; does nothing without a service manager that asked for it.
    public func send() {
        guard let name = getenv("NOTIFY_SOCKET") else { return }
        send(to: String(cString: name))
    }

    /// Sends it to a socket's path, or to an abstract name written with a leading `@`.
    func send(to name: String) {
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        let path = name.hasPrefix("@") ? "\0" + name.dropFirst() : name
        let message = Array(rawValue.utf8)
        _ = UnixAddress.withAddress(path) { address, length in
            Int32(clamping: sendto(descriptor, message, message.count, Int32(MSG_NOSIGNAL), address, length))
        }
    }
}
