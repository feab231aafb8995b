import Foundation
import Glibc
import PrivateDatabase
import TestSupport
import Testing

@Suite(.serialized, .timeLimit(.minutes(10))) struct PrivatePostgresTests {
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
        #expect(await eventually { !FileManager.default.fileExists(atPath: folder) })
        #expect(await eventually { kill(identifier, 0) == -1 })
    }

    @Test func `a folder too deep for a socket is met by a short one`() async throws {
        let folder = temporaryPath()
        let deep = folder + "/" + String(repeating: "deep/", count: 30)
        let postgres = try await PrivatePostgres(in: deep)
        #expect(postgres.folder.utf8.count < 40)
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

    /// The kernel's letter for what a process does: T is stopped.
    private func state(of process: pid_t) throws -> Substring? {
        let line = try String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)
        return line.split(separator: ")").last?.split(separator: " ").first
    }
}
