import Groundwork

/// What is known of one client.
struct ClientRecord: Sendable {
    let id: Int
    let loop: Int
    let descriptor: Int32
    let credentials: PeerCredentials?
    let connected: Instant
    let activity: ClientActivity
    /// Has the connection closed soon, by its own loop.
    let close: @Sendable () -> Void
    var name = ""
    var library = ""
    var libraryVersion = ""
    var version = 2
    var tracking: Tracking?

    init(
        id: Int, loop: Int, descriptor: Int32, credentials: PeerCredentials?, connected: Instant,
        activity: ClientActivity, close: @escaping @Sendable () -> Void
    ) {
        self.id = id
        self.loop = loop
        self.descriptor = descriptor
        self.credentials = credentials
        self.connected = connected
        self.activity = activity
        self.close = close
    }

    /// Who is told of changes in its place; 0: nobody else, -1: nobody at all.
    var redirection: Int { tracking.map { $0.redirect ?? 0 } ?? -1 }

    /// The line of `CLIENT LIST`: the fields of Redis 7.2 in its order and no others, since clients fail on one that is
    /// missing or unknown to them. Fields that mean nothing here are 0.
    func line(address: String, subscriptions: (channels: Int, patterns: Int), at now: Instant) -> String {
        let transaction = activity.transaction
        let flags =
            (subscriptions.channels + subscriptions.patterns > 0 ? "P" : "") + (transaction == nil ? "" : "x")
            + (tracking == nil ? "" : "t") + (tracking?.isBroken == true ? "R" : "")
            + (tracking?.isBroadcast == true ? "B" : "") + "U"
        let (input, output) = (activity.input, activity.output)
        let fields: [(String, String)] = [
            ("id", "\(id)"), ("addr", address), ("laddr", address), ("fd", "\(descriptor)"), ("name", name),
            ("age", "\(max(0, (now - connected).components.seconds))"),
            ("idle", "\(activity.idle(at: now).components.seconds)"), ("flags", flags), ("db", "0"),
            ("sub", "\(subscriptions.channels)"), ("psub", "\(subscriptions.patterns)"), ("ssub", "0"),
            ("multi", "\(transaction?.count ?? -1)"), ("qbuf", "\(input)"), ("qbuf-free", "0"), ("argv-mem", "0"),
            ("multi-mem", "\(transaction?.byteCount ?? 0)"), ("rbs", "0"), ("rbp", "0"), ("obl", "0"),
            ("oll", output > 0 ? "1" : "0"), ("omem", "\(output)"),
            ("tot-mem", "\(input + output + (transaction?.byteCount ?? 0))"), ("events", output > 0 ? "rw" : "r"),
            ("cmd", activity.command), ("user", "default"), ("redir", "\(redirection)"), ("resp", "\(version)"),
            ("lib-name", library), ("lib-ver", libraryVersion),
        ]
        return fields.map { "\($0)=\($1)" }.joined(separator: " ")
    }
}

/// Who is connected, over all loops: for `CLIENT LIST`. Touched when clients come, go and introduce themselves, never on
/// the way of a request.
final class ClientDirectory: Sendable {
    private let records = Groundwork.Mutex<[Int: ClientRecord]>([:])

    func add(_ record: ClientRecord) {
        records.withLock { $0[record.id] = record }
    }

    func remove(_ id: Int) {
        records.withLock { _ = $0.removeValue(forKey: id) }
    }

    /// Changes the record of a client that is connected.
    func update(_ id: Int, _ change: (inout ClientRecord) -> Void) {
        records.withLock { records in
            guard var record = records[id] else { return }
            change(&record)
            records[id] = record
        }
    }

    func record(of id: Int) -> ClientRecord? {
        records.withLock { $0[id] }
    }

    /// How each client tracks that does.
    var tracking: [Tracking] {
        records.withLock { $0.values.compactMap(\.tracking) }
    }

    /// By id, ascending.
    var all: [ClientRecord] {
        records.withLock { Array($0.values) }.sorted { $0.id < $1.id }
    }
}
