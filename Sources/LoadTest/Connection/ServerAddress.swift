import Groundwork

/// Where a server that speaks RESP is, and what it asks for before anything else.
struct ServerAddress: Sendable {
    /// The path of its socket.
    var socket: String
    /// For `AUTH`; nil: none is asked for.
    var password: Secret?

    /// A server at a socket.
    init(_ socket: String, password: Secret? = nil) {
        (self.socket, self.password) = (socket, password)
    }
}
