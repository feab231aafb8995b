import Foundation
import Groundwork
import SidecarApp

/// A database for one test, so that what PostgreSQL counts is that test's alone.
struct TestDatabase: Sendable {
    let server: PrivatePostgres
    let name: String

    /// The connection URL.
    var url: String { "\(server.url)&dbname=\(name)" }

    /// One on a server that all tests share, which goes with this process.
    static func shared() async throws -> TestDatabase {
        try await TestDatabase(on: sharedServer.value)
    }

    /// The only one of a server of the test's own, which the test may break.
    static func fresh() async throws -> TestDatabase {
        try await TestDatabase(on: startServer())
    }

    private init(on server: PrivatePostgres) async throws {
        self.server = server
        name = "t" + UUID().uuidString.filter { $0 != "-" }.lowercased()
        _ = try await server.psql("create database \(name)")
        _ = try await run(
            """
            create table word(id int primary key, text text, number int);
            insert into word select i, 'word ' || i, i from generate_series(1, 2000) i
            """)
    }

    private static let sharedServer = Task { try await startServer() }

    private static func startServer() async throws -> PrivatePostgres {
        // Prepared transactions hold locks without a session: see `hold`.
        let server = try await PrivatePostgres(
            in: temporaryPath(), settings: ["max_prepared_transactions": "20", "max_connections": "300"])
        _ = try await server.psql("create extension pg_stat_statements")
        return server
    }

    /// Runs SQL here, as the superuser.
    @discardableResult
    func run(_ sql: String) async throws -> String {
        try await server.psql(sql, database: name)
    }

    /// SQL that reads a column of the word with the key's number and waits as long as that number is held.
    static func heldWord(_ column: String = "text") -> String {
        "select \(column) from word, pg_advisory_xact_lock_shared($1::int) held where id = $1::int"
    }

    /// Makes loads of a key wait, until ``release(_:)``.
    func hold(_ number: Int) async throws {
        try await run("begin; select pg_advisory_xact_lock(\(number)); prepare transaction '\(name) \(number)'")
    }

    func release(_ number: Int) async throws {
        try await run("rollback prepared '\(name) \(number)'")
    }

    /// How many queries on the words PostgreSQL completed for the sidecar.
    func completedQueries() async throws -> Int {
        let sql = """
            select coalesce(sum(calls), 0) from pg_stat_statements
            where dbid = (select oid from pg_database where datname = '\(name)') and query like '%from word%'
                and query not like '%pg_stat_statements%' and query not like 'explain %'
            """
        return Int(try await server.psql(sql)) ?? -1
    }

    /// How many sessions are at work here for the sidecar.
    func activeSessions() async throws -> Int {
        let sql = """
            select count(*) from pg_stat_activity
            where datname = '\(name)' and state = 'active' and query like '%from word%' and pid <> pg_backend_pid()
            """
        return Int(try await server.psql(sql)) ?? -1
    }

    /// How many sessions there are.
    func sessions() async throws -> Int {
        Int(try await server.psql("select count(*) from pg_stat_activity where datname = '\(name)'")) ?? -1
    }
}
