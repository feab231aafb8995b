import EventLoop

/// Why a server could not start.
public struct ServerError: Error, CustomStringConvertible, Sendable {
    /// What to tell the operator apart.
    public enum Code: Sendable, Hashable {
        /// The path is empty, or does not fit the kernel's address.
        case badPath
        /// Another process serves the path.
        case inUse
        /// Something that is not a socket stands at the path.
        case notASocket
        /// The descriptor that systemd handed over is no listening Unix socket.
        case badInheritedSocket
        /// A system call failed.
        case system
    }

    /// What went wrong.
    public let code: Code
    /// A sentence for the operator.
    public let description: String

    init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }

    init(_ error: SystemError, doing what: String) {
        self.init(.system, "\(what): \(error)")
    }
}
