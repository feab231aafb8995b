import Foundation
import PrivateDatabase
import TestSupport
import Testing

@testable import SidecarApp

@Suite(.serialized, .timeLimit(.minutes(10))) struct DemoTests {
    @Test func `the demo's tables are pgbench's, and each of its queries runs`() async throws {
        try await withPrivatePostgres { postgres in
            try await postgres.psql(files: Demo.scripts.map { "\(repository)/\($0)" })
            #expect(try await postgres.psql("select count(*), max(aid) from pgbench_accounts") == "100000|100000")
            let pgbench = ["/usr/bin/env", "pgbench", "-n", "-t", "20", "-c", "2"]
            let environment = ["PGHOST": postgres.folder, "PGUSER": "postgres", "PGDATABASE": "postgres"]
            let report = try await Program(command: pgbench, environment: environment).run()
            #expect(report.contains("number of transactions actually processed: 40/40"))

            let settings = try Settings.load(from: "\(repository)/Config/demo.yaml", environment: [:])
            let keys = [
                "account": ["4711"], "balance": ["4711"], "teller": ["1", "7"], "tellers": ["1"], "totals": [],
            ]
            let rows = ["account": 1, "balance": 1, "teller": 1, "tellers": 10, "totals": 1]
            #expect(settings.groups.map(\.name) == ["account", "balance", "teller", "tellers", "totals"])
            for group in settings.groups {
                let parts = try #require(keys[group.name])
                let arguments = parts.isEmpty ? "" : "(\(parts.joined(separator: ", ")))"
                let answer = try await postgres.psql("prepare getter as \(group.sql); execute getter\(arguments)")
                #expect(answer.split(separator: "\n").count == rows[group.name], "\(group.name)")
            }
        }
    }

    @Test func `the demo's triggers are what sql install writes`() async throws {
        try await withPrivatePostgres { postgres in
            try await postgres.psql(files: Demo.scripts.dropLast().map { "\(repository)/\($0)" })
            let environment = ["DATABASE_URL": postgres.url]
            let settings = try Settings.load(from: "\(repository)/Config/demo.yaml", environment: environment)
            let written = try ChangeSourceSQL(settings).sql(for: .install)
            let path = "\(repository)/\(try #require(Demo.scripts.last))"
            if ProcessInfo.processInfo.environment["PGSIDECAR_WRITE_DOCS"] != nil {
                try written.write(toFile: path, atomically: true, encoding: .utf8)
            }
            #expect(try text(of: "sql/demo/notify.sql") == written, "`make docs` writes it anew")
            try await postgres.psql(files: [path])
            let status = try ChangeSourceSQL(settings).status()
            #expect(status.isComplete, "\(status.lines)")
        }
    }

    @Test func `a given database is written to only when that was asked for`() async throws {
        try await withPrivatePostgres { postgres in
            let tables = "select count(*) from pg_tables where tablename like 'pgbench%'"
            let reader = Demo(databaseURL: postgres.url, socket: nil, write: false)
            let error = await #expect(throws: StartupError.self) { try await reader.prepare(postgres.url) }
            #expect(error?.code == .demoTablesMissing)
            #expect(try await postgres.psql(tables) == "0")

            let writer = Demo(databaseURL: postgres.url, socket: nil, write: true)
            try await writer.prepare(postgres.url)
            #expect(try await postgres.psql(tables) == "4")
            _ = try await postgres.psql("update pgbench_accounts set abalance = 5 where aid = 1")
            try await reader.prepare(postgres.url)
            try await writer.prepare(postgres.url)
            #expect(try await postgres.psql("select abalance from pgbench_accounts where aid = 1") == "5")
        }
    }

    @Test func `a given database that can't be reached is told as such`() async throws {
        let demo = Demo(databaseURL: nil, socket: nil, write: false)
        let error = await #expect(throws: StartupError.self) {
            try await demo.prepare("postgresql://u:geheim@/x?host=/nowhere")
        }
        #expect(error?.code == .databaseUnreachable)
        #expect(error?.description.contains("geheim") == false)
    }
}
