import CLibPQ

/// What stands between this process and the server.
package enum Pooling: Sendable, Equatable {
    /// Nothing that can be seen: a connection is a server session.
    case none
    /// A pooler that keeps a server session for each connection.
    case session
    /// A pooler that gives each transaction a server session, which may be another one than the last.
    case transaction(keepsPreparedStatements: Bool)
}

extension Pooling {
    /// How often two sessions are compared: others that use the pooler at this moment may hide what is looked for.
    private static let attempts = 3

    /// Finds it out over `session` and, if there is a pooler, a second connection by the same settings.
    ///
    /// A server tells its own process id when it takes a connection; a pooler, which has to know whom a cancel request means,
    /// tells one that it made up. Then the second connection begins a transaction: where server sessions are given to
    /// transactions, it gets the one that was used last, and the first one's next transaction gets another.
    package init(of session: SQLSession, _ settings: DatabaseSettings) throws {
        guard try session.process() != String(session.connection.backendProcess) else {
            self = .none
            return
        }
        let other = try SQLSession(settings, for: .doctor)
        let statement = "pgsidecar_doctor_\(UInt32.random(in: 0 ... .max))"
        for _ in 0..<Self.attempts {
            let first = try session.process()
            try session.prepare(statement, "select 1")
            // In a pool of one the first one would wait for the second.
            try other.run("begin; set local idle_in_transaction_session_timeout = '3s'")
            _ = try other.process()
            let isElsewhere = try session.process() != first
            let isThere = session.canExecute(statement)
            // On whichever of both it is, so that the pool is left as it was.
            for holder in [other, session] { _ = try? holder.run("deallocate \(statement)") }
            _ = try? other.run("rollback")
            if isElsewhere {
                self = .transaction(keepsPreparedStatements: isThere)
                return
            }
        }
        self = .session
    }
}

extension SQLSession {
    /// The id of the server process that a transaction of its own gets, as that tells.
    fileprivate func process() throws(SQLFailure) -> String {
        try run("select pg_catalog.pg_backend_pid()").first?.first.flatMap { $0 } ?? ""
    }

    /// Prepares a statement as drivers do, which poolers may know of; `PREPARE` they never do.
    fileprivate func prepare(_ name: String, _ sql: String) throws(SQLFailure) {
        _ = try rows(of: PQprepare(connection.pointer, name, sql, 0, nil))
    }

    fileprivate func canExecute(_ name: String) -> Bool {
        (try? rows(of: PQexecPrepared(connection.pointer, name, 0, nil, nil, nil, 0))) != nil
    }
}
