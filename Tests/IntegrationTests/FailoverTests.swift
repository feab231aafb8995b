import Foundation
import PrivateDatabase
import TestSupport
import Testing

/// A URL with several hosts, one of which goes away.
@Suite(.timeLimit(.minutes(10)))
struct FailoverTests {
    /// A second server with the same words, all in capitals.
    private func standIn(for database: TestDatabase) async throws -> PrivatePostgres {
        let server = try await TestPostgres.fresh()
        _ = try await server.psql("create database \(database.name)")
        _ = try await server.psql(
            """
            create table word(id int primary key, text text, number int);
            insert into word select i, 'WORD ' || i, i from generate_series(1, 2000) i
            """, database: database.name)
        return server
    }

    private func settings(_ database: TestDatabase, _ standIn: PrivatePostgres) -> String {
        let hosts = "\(database.server.folder),\(standIn.folder)"
        return """
            database:
              url: "host='\(hosts)' port=5432,5432 user=postgres dbname=\(database.name) target_session_attrs=primary"
              connections: 3
            groups:
              word: { sql: "select text from word where id = $1", returns: value, ttl: 1ms, load_timeout: 5m }
            """
    }

    @Test func `connections go to the next host when the first is gone, and log and INFO tell where they are`()
        async throws
    {
        let database = try await TestDatabase.fresh()
        let standIn = try await standIn(for: database)
        let (first, second) = (database.server.folder, standIn.folder)
        try await withSidecar(settings(database, standIn)) { sidecar in
            let client = try sidecar.client()
            #expect(try client.ask("GET", "word:7") == .bulk("word 7"))
            #expect(await eventually { (try? sidecar.info("database_hosts")) == "\(first)=3" })
            await database.server.stop()
            #expect(try await eventually { try client.ask("GET", "word:7") == .bulk("WORD 7") })
            #expect(await eventually { (try? sidecar.info("database_hosts")) == "\(second)=3" })
            let said = "database connections go to another host"
            let told = sidecar.process.errors.split(separator: "\n").first { $0.contains(said) }
            #expect(told?.contains("from=\(first)") == true && told?.contains("to=\(second)") == true, "\(told ?? "")")
            // A server that came back is nobody's until connections are made anew.
            try await database.server.start()
            #expect(try client.ask("GET", "word:8") == .bulk("WORD 8"))
            #expect(try client.ask("PGS.RECONNECT").text?.hasSuffix("connections were made anew") == true)
            #expect(await eventually { (try? sidecar.info("database_hosts")) == "\(first)=3" })
            #expect(try client.ask("GET", "word:8") == .bulk("word 8"))
        }
        await database.server.remove()
        await standIn.remove()
    }
}
