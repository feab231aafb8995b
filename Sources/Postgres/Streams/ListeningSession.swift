import Groundwork

/// A fresh connection that listens to a channel of its own, and a message that is on its way there.
///
/// PostgreSQL sends a session what it notifies itself together with the answer to its NOTIFY, and PgBouncer in transaction mode
/// hands that on, while it throws away all that comes when no transaction is open: which is all that matters. So the proof
/// that this connection hears anything is a message from another one. That one goes where loads go: a connection to
/// another database would hear nothing of what is read, and loads from a standby may be older than what is notified.
///
/// Nothing is set for the session, and the channel that everybody knows is listened to behind the proof only: a pooler would
/// give a session with such settings to others.
struct ListeningSession: ~Copyable, Sendable {
    let link: PQConnection
    /// The server process, by its own word: behind a pooler libpq has another number.
    let process: Int32
    /// A channel of its own, for what it says to itself.
    let ownChannel: String
    /// What another connection said there.
    let proof: String

    /// Longer than the ten seconds after which the server gives up waiting for whoever holds up those who notify: so it is the
    /// server who says why.
    private static let proofTimeLimit = Duration.seconds(15)

    /// Says `$2` on the channel `$1`. It need not outlive a crash of the server, nor wait for a standby; and while a commit that
    /// notifies waits for one, it gives up and leaves no process behind that waits for it.
    static let notify = """
        pg_catalog.set_config('synchronous_commit', 'off', true), pg_catalog.set_config('lock_timeout', '10s', true),
        pg_catalog.pg_notify($1, $2)
        """

    /// Connects, listens, and has the proof sent. Blocks, so it is for threads of its own.
    ///
    /// - Parameter loads: Where loads go.
    static func open(_ settings: DatabaseSettings, loads: DatabaseSettings) throws(ConnectError) -> ListeningSession {
        // What others say may hold bytes that the server can't turn into UTF-8; triggers say nothing that it would have to.
        let link = try PQConnection.connect(settings, for: .listen, more: [("client_encoding", "SQL_ASCII")])
        let timeout = settings.firstAnswersTimeout
        guard try link.ask("select pg_catalog.pg_is_in_recovery()", within: timeout) == "f" else {
            throw ConnectError(
                description: "the server is a standby, where nothing can be listened for; give the primary in "
                    + "invalidation.url, or target_session_attrs=read-write")
        }
        let answer = try link.ask("select pg_catalog.pg_backend_pid()", within: timeout)
        guard let process = Int32(answer) else {
            throw ConnectError(description: "the server does not know its process")
        }
        let (ownChannel, proof) = ("pgsidecar_own_" + randomText(), randomText())
        _ = try link.ask("listen \(ownChannel)", within: timeout)
        try sendProof(proof, to: ownChannel, loads)
        return ListeningSession(link: link, process: process, ownChannel: ownChannel, proof: proof)
    }

    private static func sendProof(
        _ proof: String, to channel: String, _ loads: DatabaseSettings
    ) throws(ConnectError) {
        let other = try PQConnection.connect(loads, for: .listen)
        guard try other.ask("select pg_catalog.pg_is_in_recovery()", within: loads.firstAnswersTimeout) == "f" else {
            throw ConnectError(
                description:
                    "loads go to a standby, which may lag behind what is notified; give the primary in database.url, "
                    + "or target_session_attrs=read-write, or take source: logical")
        }
        _ = try other.ask("select \(notify)", TextParameters(channel, proof), within: proofTimeLimit)
    }

    /// Hands the connection out.
    consuming func takeLink() -> PQConnection { link }

    /// 128 bits that nobody else knows, in hexadecimal.
    private static func randomText() -> String {
        (0..<2).map { _ in
            let digits = String(UInt64.random(in: .min ... .max), radix: 16)
            return String(repeating: "0", count: 16 - digits.utf8.count) + digits
        }.joined()
    }
}
