import CLinux

/// Who connected, as the kernel says (SO_PEERCRED). A client cannot lie about it.
struct PeerCredentials: Sendable {
    let process: UInt32
    let user: UInt32

    /// Nil when the kernel does not say.
    init?(of descriptor: Int32) {
        var process: UInt32 = 0
        var user: UInt32 = 0
        var group: UInt32 = 0
        guard pgs_peer_credentials(descriptor, &process, &user, &group) == 0 else { return nil }
        self.process = process
        self.user = user
    }
}
