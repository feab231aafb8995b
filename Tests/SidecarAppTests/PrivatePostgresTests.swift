import Foundation
import Glibc
import Testing

@testable import SidecarApp

/// Runs a test with a PostgreSQL of its own, which goes at the end.
func withPrivatePostgres(
    settings: [String: String] = [:], _ body: (PrivatePostgres) async throws -> Void
) async throws {
    let postgres = try await PrivatePostgres(in: temporaryPath(), settings: settings)
    do {
        try await body(postgres)
    } catch {
        await postgres.remove()
        throw error
    }
    await postgres.remove()
}

/// A path under /tmp that nothing else uses.
func temporaryPath() -> String {
    "/tmp/pgsidecar-test-\(UUID().uuidString.prefix(13))"
}

@Suite(.serialized, .timeLimit(.minutes(2))) struct PrivatePostgresTests {
    @Test func `it starts, answers, and leaves neither a process nor a folder`() async throws {
        let folder = temporaryPath()
        let postgres = try await PrivatePostgres(in: folder, settings: ["max_connections": "17"])
        #expect(try await postgres.psql("select 6 * 7, 'a'; select 2") == "42|a\n2")
        #expect(try await postgres.psql("show max_connections") == "17")
        #expect(try await postgres.psql("show listen_addresses") == "")
        #expect(try await postgres.psql("create extension pg_stat_statements; select 1") == "1")
        let identifier = try #require(await postgres.processIdentifier)
        await postgres.remove()
        #expect(kill(identifier, 0) == -1)
        #expect(!FileManager.default.fileExists(atPath: folder))
    }

    @Test func `it keeps its data over a stop, and over a kill`() async throws {
        try await withPrivatePostgres { postgres in
            _ = try await postgres.psql("create table t as select 1 as a; checkpoint")
            await postgres.stop()
            #expect(await postgres.processIdentifier == nil)
            await #expect(throws: ProgramFailure.self) { try await postgres.psql("select 1") }
            try await postgres.start()
            #expect(try await postgres.psql("select a from t") == "1")
            await postgres.kill()
            #expect(await postgres.processIdentifier == nil)
            try await postgres.start()
            #expect(try await postgres.psql("select a from t") == "1")
        }
    }

    @Test func `a suspended server answers again when it is resumed`() async throws {
        try await withPrivatePostgres { postgres in
            await postgres.suspend()
            async let answer = postgres.psql("select 1")
            let identifier = try #require(await postgres.processIdentifier)
            // The signal takes effect when the process is scheduled next.
            let deadline = ContinuousClock.now + .seconds(10)
            while try state(of: identifier) != "T", ContinuousClock.now < deadline { await Task.yield() }
            #expect(try state(of: identifier) == "T")
            await postgres.resume()
            #expect(try await answer == "1")
        }
    }

    @Test func `a suspended server goes as well`() async throws {
        let folder = temporaryPath()
        let postgres = try await PrivatePostgres(in: folder)
        await postgres.suspend()
        await postgres.remove()
        #expect(!FileManager.default.fileExists(atPath: folder))
    }

    @Test func `it goes when its owner forgets it`() async throws {
        let folder = temporaryPath()
        var postgres: PrivatePostgres? = try await PrivatePostgres(in: folder)
        let identifier = try #require(await postgres?.processIdentifier)
        postgres = nil
        #expect(await eventually(within: .seconds(15)) { !FileManager.default.fileExists(atPath: folder) })
        #expect(await eventually(within: .seconds(15)) { kill(identifier, 0) == -1 })
    }

    @Test func `a folder too deep for a socket is met by a short one`() async throws {
        let folder = temporaryPath()
        let deep = folder + "/" + String(repeating: "deep/", count: 30)
        let postgres = try await PrivatePostgres(in: deep)
        #expect(postgres.socketFolder.utf8.count < 40)
        #expect(try await postgres.psql("select 1") == "1")
        await postgres.remove()
        #expect(!FileManager.default.fileExists(atPath: postgres.folder))
        #expect(!FileManager.default.fileExists(atPath: deep))
        try FileManager.default.removeItem(atPath: folder)
    }

    @Test func `a folder that has something in it is left alone`() async throws {
        let folder = temporaryPath()
        try FileManager.default.createDirectory(atPath: folder + "/mine", withIntermediateDirectories: true)
        await #expect(throws: PrivatePostgresError.self) { try await PrivatePostgres(in: folder) }
        #expect(FileManager.default.fileExists(atPath: folder + "/mine"))
        try FileManager.default.removeItem(atPath: folder)
    }

    @Test func `a setting that PostgreSQL refuses is told with what it said, and nothing stays`() async throws {
        let folder = temporaryPath()
        let error = await #expect(throws: PrivatePostgresError.self) {
            try await PrivatePostgres(in: folder, settings: ["no_such_setting": "1"])
        }
        #expect(error?.description.contains("no_such_setting") == true)
        #expect(!FileManager.default.fileExists(atPath: folder))
    }

    @Test func `the demo's tables are pgbench's, and each of its queries runs`() async throws {
        try await withPrivatePostgres { postgres in
            try await postgres.psql(files: Demo.scripts.map { "\(repository)/\($0)" })
            #expect(try await postgres.psql("select count(*), max(aid) from pgbench_accounts") == "100000|100000")
            let pgbench = ["/usr/bin/env", "pgbench", "-n", "-t", "20", "-c", "2"]
            let environment = ["PGHOST": postgres.socketFolder, "PGUSER": "postgres", "PGDATABASE": "postgres"]
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

    /// The kernel's letter for what a process does: T is stopped.
    private func state(of process: pid_t) throws -> Substring? {
        let line = try String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)
        return line.split(separator: ")").last?.split(separator: " ").first
    }
}
