import Groundwork

/// A fresh connection that listens to a channel, and a message that is on its way to it.
///
/// PostgreSQL sends a session what it notifies itself together with the answer to its NOTIFY, and PgBouncer in transaction mode
/// hands that on, while it throws away all that comes when no transaction is open: which is all that matters. So the proof
/// that this connection hears anything is a message from another one.
struct ListeningSession: ~Copyable, Sendable {
    let link: PQConnection
    /// The server process, by its own word: behind a pooler libpq has another number.
    let process: Int32
    /// A channel of its own, for what it says to itself.
    let ownChannel: String
    /// What another connection said there.
    let proof: String

    private static let timeLimit = Duration.seconds(10)

    /// Connects, subscribes, and has the proof sent. Blocks, so it is for threads of its own.
    static func open(_ settings: DatabaseSettings, channel: String) throws(ConnectError) -> ListeningSession {
        let link = try PQConnection.connect(settings, for: .listen)
        let deadline = Instant.now() + timeLimit
        guard try link.ask("select pg_catalog.pg_is_in_recovery()", until: deadline) == "f" else {
            throw ConnectError(
                description: "the server is a standby, where nothing can be listened for; give the primary in "
                    + "invalidation.url, or target_session_attrs=read-write")
        }
        // What it says to itself need not outlive a crash of the server, nor wait for a standby, nor end by a limit that is
        // meant for queries.
        for setting in ["synchronous_commit = off", "statement_timeout = 0", "lock_timeout = 0"] {
            _ = try link.ask("set \(setting)", until: deadline)
        }
        let answer = try link.ask("select pg_catalog.pg_backend_pid()", until: deadline)
        guard let process = Int32(answer) else {
            throw ConnectError(description: "the server does not know its process")
        }
        let (ownChannel, proof) = ("pgsidecar_own_" + randomText(), randomText())
        for name in [channel, ownChannel] { _ = try link.ask("listen \(quoted(name))", until: deadline) }
        try sendProof(proof, to: ownChannel, settings)
        return ListeningSession(link: link, process: process, ownChannel: ownChannel, proof: proof)
    }

    private static func sendProof(
        _ proof: String, to channel: String, _ settings: DatabaseSettings
    ) throws(ConnectError) {
        let other = try PQConnection.connect(settings, for: .listen)
        _ = try other.ask(
            "select pg_catalog.pg_notify($1, $2)", TextParameters(channel, proof),
            until: Instant.now() + timeLimit)
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

    private static func quoted(_ name: String) -> String {
        "\"" + name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }
}
