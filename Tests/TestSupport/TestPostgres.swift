package import PrivateDatabase

/// Private PostgreSQL servers for tests. Each has `pg_stat_statements` where the machine has it, and room for many
/// connections and for prepared transactions, by which ``Hold`` holds locks without a session.
package enum TestPostgres {
    /// One that all tests of this process share, and leave as it is. It goes with the process.
    package static func shared() async throws -> PrivatePostgres {
        try await starting.value
    }

    private static let starting = Task { try await fresh() }

    /// One that a test may break, and removes at its end. `settings` are lines of `postgresql.conf`.
    package static func fresh(_ settings: [String: String] = [:]) async throws -> PrivatePostgres {
        var all = ["max_connections": "400", "max_prepared_transactions": "60"]
        all.merge(settings) { _, theirs in theirs }
        let server = try await PrivatePostgres(in: temporaryPath(), settings: all)
        _ = try await server.psql("create extension if not exists pg_stat_statements")
        return server
    }
}

/// A number that queries wait for as long as the test holds it, however slow the machine is.
package struct Hold: Sendable {
    private let number: Int
    private let server: PrivatePostgres
    private let database: String

    /// SQL of no value, for a query that is to wait as long as the number is held.
    package static func sql(_ number: Int) -> String { sql("\(number)") }
    /// The same for the number that an expression has, such as `$1::int`.
    package static func sql(_ number: String) -> String { "pg_advisory_xact_lock_shared(\(number))" }

    /// Holds the number in a database. A prepared transaction keeps its locks without a session.
    package init(_ number: Int, on server: PrivatePostgres, database: String = "postgres") async throws {
        self.number = number
        self.server = server
        self.database = database
        try await run(
            "begin; select pg_advisory_xact_lock(\(number)); prepare transaction '\(database) hold \(number)'")
    }

    /// Lets it go.
    package func release() async throws {
        try await run("rollback prepared '\(database) hold \(number)'")
    }

    /// Waits until a query waits for the number.
    package func isAwaited() async throws -> Bool {
        try await eventually { try await isAwaitedNow() }
    }

    /// Whether a query waits for the number.
    package func isAwaitedNow() async throws -> Bool {
        try await run("select count(*) from (\(waiting)) as waiting") != "0"
    }

    /// Ends the session that waits for the number, once there is one, and then lets the number go.
    package func killWaiting() async throws -> Bool {
        guard try await isAwaited() else { return false }
        try await run("select pg_terminate_backend(pid) from (\(waiting)) as waiting")
        try await release()
        return true
    }

    /// The sessions that wait for the number.
    private var waiting: String {
        """
        select pid from pg_locks where locktype = 'advisory' and objid = \(number) and not granted
            and database = (select oid from pg_database where datname = current_database())
        """
    }

    @discardableResult
    private func run(_ sql: String) async throws -> String {
        try await server.psql(sql, database: database)
    }
}
