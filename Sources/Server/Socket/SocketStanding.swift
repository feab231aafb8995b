/// What stands at the path of a socket before a server is started there.
public enum SocketStanding: Sendable, Equatable {
    /// Nothing, or a socket that nobody listens at any more.
    case free
    /// Some program listens there.
    case listened
    /// Something that is no socket.
    case notASocket
    /// Can't be told; why.
    case unknown(String)
}

extension Server {
    /// What stands at a path now. Waits for nobody.
    public static func standing(atPath path: String) -> SocketStanding {
        switch SocketPath.probe(path) {
        case .absent, .nobody: .free
        case .notASocket: .notASocket
        case .somebody: .listened
        case .unknown(let error): .unknown("\(error)")
        }
    }
}
