import CLinux

/// What a file descriptor is ready for, or what its owner wants to hear of.
public struct Readiness: OptionSet, Sendable {
    /// The bits of epoll's `events` field.
    public let rawValue: UInt32

    /// Takes the bits of epoll's `events` field.
    @inlinable
    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// Bytes can be read, or a connection accepted, or the end of the stream seen.
    public static var readable: Readiness { Readiness(rawValue: pgs_epollin) }
    /// The kernel takes more bytes.
    public static var writable: Readiness { Readiness(rawValue: pgs_epollout) }
    /// The other side sends no more. Reported when asked for.
    public static var ended: Readiness { Readiness(rawValue: pgs_epollrdhup) }
    /// An urgent byte (MSG_OOB) is among those that can be read. Reported when asked for.
    public static var urgent: Readiness { Readiness(rawValue: pgs_epollpri) }
    /// Not a readiness, but how to hear of one: once, when it comes, and not in each round for as long as it stays, which spares
    /// the kernel another look at the descriptor after each event. For who reads until nothing is left, or asks anew: an
    /// ``EventLoop/update(_:for:)`` tells of what is there already.
    public static var once: Readiness { Readiness(rawValue: EPOLLET.rawValue) }
    /// Both sides are shut, or the descriptor is in error. Always reported, asked for or not.
    public static var broken: Readiness { Readiness(rawValue: pgs_epollhup | pgs_epollerr) }
}

/// Owns a file descriptor that an ``EventLoop`` watches.
public protocol EventSource: AnyObject {
    /// Tells that the descriptor is ready. Called on the loop's thread, again in each round for as long as it stays ready, unless
    /// it asked to be told ``Readiness/once``. Must not block.
    func ready(_ readiness: Readiness)
}

/// Names one registration with an ``EventLoop``. Stale names are ignored, so that a descriptor that was closed and opened
/// anew within one round never gets the events of its predecessor.
public struct Registration: Sendable, Hashable {
    let descriptor: Int32
    /// The source's in the loop's table; epoll hands it back with each event.
    let token: UInt64
}
