import Groundwork
import Logging

/// A fresh connection whose server was asked how it takes what is to be sent.
struct Session: ~Copyable, Sendable {
    let link: PQConnection
    /// Whether each transaction has to say itself that it only reads, because the session does not.
    let saysReadOnly: Bool
    /// What a question and its answer took, in nanoseconds.
    let roundTrip: Int64

    private static let option = "-c default_transaction_read_only=on"

    /// Connects. Blocks, so it is for threads of its own.
    ///
    /// That a session only reads is a startup option: it holds before the first query, and for this session alone. A pooler
    /// refuses such options or drops them, and a `SET` would go to a server session that other clients get later; so behind
    /// one each transaction begins with the order.
    static func open(_ context: DatabaseContext) throws(ConnectError) -> Session {
        let settings = context.settings
        guard settings.readOnly else {
            return try Session(PQConnection.connect(settings, for: .load), settings, readsOnly: false)
        }
        if context.takesOptions, let options = settings.sessionOptions {
            do {
                let both = options.isEmpty ? option : "\(options) \(option)"
                let link = try PQConnection.connect(settings, for: .load, options: both)
                return try Session(link, settings, readsOnly: true)
            } catch {
                // PgBouncer's words; they are not translated.
                guard error.description.contains("unsupported startup parameter") else { throw error }
                context.noteRefusedOptions()
                context.logger.info("a pooler refuses startup options; each transaction is told that it only reads")
            }
        }
        return try Session(PQConnection.connect(settings, for: .load), settings, readsOnly: true)
    }

    private init(
        _ connection: consuming PQConnection, _ settings: DatabaseSettings, readsOnly: Bool
    ) throws(ConnectError) {
        let began = Instant.now()
        let isReadOnly = try connection.ask(
            "select pg_catalog.current_setting('default_transaction_read_only')", within: settings.firstAnswersTimeout)
        roundTrip = Instant.now().nanoseconds - began.nanoseconds
        saysReadOnly = readsOnly && isReadOnly != "on"
        link = connection
    }

    /// Hands the connection out.
    consuming func takeLink() -> PQConnection { link }
}
