import Foundation
package import PrivateDatabase

/// A database for one test, so that what PostgreSQL counts is that test's alone.
package struct TestDatabase: Sendable {
    /// The server that it is on.
    package let server: PrivatePostgres
    /// Its name.
    package let name: String

    /// The connection URL.
    package var url: String { "\(server.url)&dbname=\(name)" }

    /// One on a server that all tests share, which goes with this process.
    package static func shared() async throws -> TestDatabase {
        try await TestDatabase(on: TestPostgres.shared())
    }

    /// The only one of a server of the test's own, which the test may break.
    package static func fresh(_ settings: [String: String] = [:]) async throws -> TestDatabase {
        try await TestDatabase(on: TestPostgres.fresh(settings))
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

    /// Runs SQL here, as the superuser.
    @discardableResult
    package func run(_ sql: String) async throws -> String {
        try await server.psql(sql, database: name)
    }

    /// SQL that reads a column of the word with the key's number and waits as long as that number is held.
    package static func heldWord(_ column: String = "text") -> String {
        "select \(column) from word, \(Hold.sql("$1::int")) held where id = $1::int"
    }

    /// Makes loads of a key of ``heldWord(_:)`` wait until the hold is released.
    package func hold(_ number: Int) async throws -> Hold {
        try await Hold(number, on: server, database: name)
    }

    /// How many queries on the words PostgreSQL completed for the sidecar.
    package func completedQueries() async throws -> Int {
        let sql = """
            select coalesce(sum(calls), 0) from pg_stat_statements
            where dbid = (select oid from pg_database where datname = '\(name)') and query like '%from word%'
                and query not like '%pg_stat_statements%' and query not like 'explain %'
            """
        return Int(try await server.psql(sql)) ?? -1
    }

    /// How many sessions are at work here for the sidecar.
    package func activeSessions() async throws -> Int {
        let sql = """
            select count(*) from pg_stat_activity
            where datname = '\(name)' and state = 'active' and query like '%from word%' and pid <> pg_backend_pid()
            """
        return Int(try await server.psql(sql)) ?? -1
    }

    /// How many sessions there are.
    package func sessions() async throws -> Int {
        Int(try await server.psql("select count(*) from pg_stat_activity where datname = '\(name)'")) ?? -1
    }
}
