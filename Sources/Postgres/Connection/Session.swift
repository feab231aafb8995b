import Glibc
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
    private static let timeLimit = Duration.seconds(10)

    /// Connects. Blocks, so it is for threads of its own.
    ///
    /// That a session only reads is a startup option: it holds before the first query, and for this session alone. A pooler
    /// refuses such options or drops them, and a `SET` would go to a server session that other clients get later; so behind
    /// one each transaction begins with the order.
    static func open(_ context: DatabaseContext) throws(ConnectError) -> Session {
        let settings = context.settings
        guard settings.readOnly else {
            return try Session(PQConnection.connect(settings, for: .load), readsOnly: false)
        }
        if context.takesOptions, let options = settings.sessionOptions {
            do {
                let both = options.isEmpty ? option : "\(options) \(option)"
                return try Session(PQConnection.connect(settings, for: .load, options: both), readsOnly: true)
            } catch {
                // PgBouncer's words; they are not translated.
                guard error.description.contains("unsupported startup parameter") else { throw error }
                context.noteRefusedOptions()
                context.logger.info("a pooler refuses startup options; each transaction is told that it only reads")
            }
        }
        return try Session(PQConnection.connect(settings, for: .load), readsOnly: true)
    }

    private init(_ connection: consuming PQConnection, readsOnly: Bool) throws(ConnectError) {
        let began = Instant.now()
        let isReadOnly = try connection.ask(
            "select pg_catalog.current_setting('default_transaction_read_only')", until: began + Self.timeLimit)
        roundTrip = Instant.now().nanoseconds - began.nanoseconds
        saysReadOnly = readsOnly && isReadOnly != "on"
        link = connection
    }

    /// Hands the connection out.
    consuming func takeLink() -> PQConnection { link }
}

extension PQConnection {
    /// Asks for one value; empty when there is not one row. Waits until `deadline`, so it is for threads of its own. From here on
    /// the connection is in pipeline mode.
    func ask(_ sql: String, _ parameters: some QueryParameters = KeyParts.none, until deadline: Instant)
        throws(ConnectError) -> String
    {
        guard startPipelining(), sendQuery(sql, parameters), sendSync() else {
            throw ConnectError(description: errorText)
        }
        var answer = ""
        var endsInARow = 0
        while true {
            try waitForResult(until: deadline)
            guard let result = nextResult() else {
                if isBroken { throw ConnectError(description: errorText) }
                endsInARow += 1
                if endsInARow == 2 { throw .lostCount }
                continue
            }
            endsInARow = 0
            switch result.status {
            case .sync: return answer
            case .rows: answer = result.rowCount == 1 ? result.text(row: 0, column: 0) : ""
            case .error: throw ConnectError(description: result.error.message)
            case .done, .aborted: break
            }
        }
    }

    private func waitForResult(until deadline: Instant) throws(ConnectError) {
        while isBusy {
            let isSent = flush() == .done
            let left = (deadline - Instant.now()).wholeNanoseconds / 1_000_000
            guard left > 0 else {
                throw ConnectError(description: "the server took the connection and does not answer")
            }
            var wait = pollfd(fd: descriptor, events: Int16(isSent ? POLLIN : POLLIN | POLLOUT), revents: 0)
            _ = poll(&wait, 1, Int32(clamping: left))
            guard wait.revents == 0 || consumeInput() != .lost else { throw ConnectError(description: errorText) }
        }
    }
}
