public import Glibc
public import Groundwork

/// What a ``Server`` is told: where it listens, whom it lets in, and its bounds.
public struct ServerSettings: Sendable, Equatable {
    /// The path of the Unix socket, at most 107 bytes. Not used when systemd hands over a listening socket.
    public var socket: String
    /// The permissions of the socket's path.
    public var mode: mode_t = 0o660
    /// The id of the group that owns the socket's path; nil: the process' own.
    public var group: gid_t?
    /// The users that may connect, by the user id that the kernel tells (SO_PEERCRED); nil: whoever the path lets in.
    public var allowedUsers: Set<uid_t>?
    /// The users that may run what concerns all clients (`FLUSHALL`, `CLIENT KILL`); nil: whoever may connect.
    public var adminUsers: Set<uid_t>?
    /// The most client connections at a time; the next one gets an error.
    public var maxClients = 10_000
    /// The most bytes of one request.
    public var maxRequest = 1 << 20
    /// The most bytes of replies that may wait for one client, to be loaded or to be read; a single reply that is larger is an
    /// error.
    public var maxOutput = 64 << 20
    /// What one reply may take: a value of ``maxOutput`` bytes, and what the protocol puts around it.
    var maxReply: Int { maxOutput + 64 }
    /// The most bytes of requests of one client that may wait; beyond them no more are read.
    public var maxPipeline = 16 << 20
    /// The most bytes of requests and replies that may wait, of all clients together: half of it for each. At least twice
    /// `maxOutput`.
    public var maxBuffers = 256 << 20
    /// About the most bytes that may be taken by what clients read that are told of changes (`CLIENT TRACKING`); beyond them
    /// they are told of changes that there were not.
    public var maxTracking = 32 << 20
    /// The most requests of one client that may wait for loads; beyond them its requests are not executed.
    public var maxPendingReplies = 1024
    /// The most keys for which one client may wait; beyond them its requests are not executed. A request that was begun is not
    /// interrupted, so it may be one request's keys more.
    public var maxPendingKeys = 1 << 16
    /// A client that takes none of its replies for so long is closed.
    public var writeTimeout: Duration = .seconds(30)
    /// What `AUTH` asks for; nil: nothing.
    public var password: Secret?
    /// The version of this program, for `INFO`.
    public var version = "0.0.0"

    /// Settings with the defaults above.
    public init(socket: String) {
        self.socket = socket
    }
}

/// Whom a ``Server`` lets in: what of its settings may change while it serves.
struct Admission: Sendable {
    let allowedUsers: Set<uid_t>?
    let adminUsers: Set<uid_t>?
    let maxClients: Int

    init(_ settings: ServerSettings) {
        allowedUsers = settings.allowedUsers
        adminUsers = settings.adminUsers
        maxClients = settings.maxClients
    }
}
