import Foundation
import Glibc
import Groundwork
import PrivateDatabase
import SidecarApp
import TestSupport
import Testing

/// What a person sees who types pgsidecar's commands.
@Suite(.timeLimit(.minutes(10)))
struct CommandLineTests {
    /// Runs pgsidecar to its end in a folder of its own, with the files in it that the test wants there.
    private func run(
        _ arguments: [String], files: [String: String] = [:]
    ) async throws -> (end: RunningProgram.End?, output: String, errors: String) {
        let folder = temporaryPath()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        for (name, text) in files { try text.write(toFile: "\(folder)/\(name)", atomically: true, encoding: .utf8) }
        let program = try RunningProgram([pgsidecarPath] + arguments, in: folder)
        let end = await program.end()
        program.expectNoRaces()
        return (end, program.output, program.errors)
    }

    @Test(arguments: [
        ["--help"], ["help"], ["serve", "--help"], ["check", "--help"], ["demo", "--help"], ["top", "--help"],
        ["sql", "--help"],
        ["doctor", "--help"],
    ])
    func `help teaches by an example`(_ arguments: [String]) async throws {
        let (end, output, _) = try await run(arguments)
        #expect(end == .code(0))
        #expect(output.contains("pgsidecar check --config") || output.contains("Example:"), "\(output)")
    }

    @Test func `the version is told`() async throws {
        let (end, output, _) = try await run(["--version"])
        #expect(end == .code(0))
        #expect(output == "\(Sidecar.version)\n")
    }

    @Test func `a wrong command is refused as usage`() async throws {
        let (end, _, errors) = try await run(["server"])
        #expect(end == .code(64))
        #expect(errors.contains("serve"), "\(errors)")
    }

    @Test func `every mistake of a settings file is named with its line`() async throws {
        let settings = """
            threads: many
            groups:
              word:
                sql: select 1
                tll: 60s
            """
        let (end, output, errors) = try await run(["check", "--config", "a.yaml"], files: ["a.yaml": settings])
        #expect(end == .code(78))
        #expect(output.isEmpty)
        let lines = errors.split(separator: "\n")
        #expect(lines.count == 2)
        #expect(lines.first?.hasPrefix("a.yaml:1:10: threads: ") == true, "\(errors)")
        #expect(lines.last?.hasPrefix("a.yaml:5:5: groups.word.tll: ") == true, "\(errors)")
        #expect(lines.last?.contains("'ttl'") == true, "\(errors)")
    }

    @Test func `with --connect the database says what is wrong with the queries, and where`() async throws {
        let database = try await TestDatabase.shared()
        let settings = { (sql: String) in
            """
            database: { url: "\(database.url)" }
            groups:
              word: { sql: select text from word where id = $1 }
              wrong:
                sql: |
                  \(sql)
            """
        }
        let check = ["check", "--config", "a.yaml", "--connect"]
        let wrong = try await run(check, files: ["a.yaml": settings("select id,\n      txet from word")])
        #expect(wrong.end == .code(78))
        #expect(wrong.errors.contains("a.yaml:7:7: groups.wrong: "), "\(wrong.errors)")
        #expect(wrong.errors.contains("\"txet\" does not exist"), "\(wrong.errors)")
        #expect(!wrong.errors.contains("groups.word"), "\(wrong.errors)")
        let right = try await run(check, files: ["a.yaml": settings("select id from word where id = $1")])
        #expect(right.end == .code(0))
        #expect(right.output == "a.yaml: 2 groups, no mistakes\n")
    }

    @Test func `with --verbose each group's parameters and columns are told with their types`() async throws {
        let database = try await TestDatabase.shared()
        try await database.run("create table stay(guest uuid, nights daterange, price numeric(8, 2)[])")
        let settings = """
            database: { url: "\(database.url)" }
            groups:
              word: { sql: select text from word where id = $1, returns: value }
              stay: { sql: "select guest, nights as \\"the nights\\", price from stay where guest = $1 and nights = $2" }
            """
        let files = ["a.yaml": settings]
        let told = try await run(["check", "--config", "a.yaml", "--connect", "--verbose"], files: files)
        #expect(told.end == .code(0))
        #expect(
            told.output == """
                word:
                  $1    integer
                  text  text
                stay:
                  $1          uuid
                  $2          daterange
                  guest       uuid
                  the nights  daterange
                  price       numeric[]
                a.yaml: 2 groups, no mistakes

                """)
        let alone = try await run(["check", "--config", "a.yaml", "--verbose"], files: files)
        #expect(alone.end == .code(64) && alone.errors.contains("add --connect"), "\(alone)")
    }

    @Test func `with --connect a database that is not there is told by its own exit code`() async throws {
        let settings = """
            database: { url: "postgresql:///nowhere?host=/nowhere" }
            groups: { word: { sql: select 1 } }
            """
        let (end, _, errors) = try await run(["check", "--config", "a.yaml", "--connect"], files: ["a.yaml": settings])
        #expect(end == .code(69))
        #expect(errors.contains("the database cannot be reached"), "\(errors)")
    }

    @Test(arguments: ["notify", "logical"])
    func `sql tells what is missing, makes it, and removes it`(source: String) async throws {
        let database = try await TestDatabase.shared()
        let settings = """
            database: { url: "\(database.url)" }
            invalidation: { source: \(source), publication: "\(database.name)" }
            groups: { word: { sql: select text from word where id = $1, invalidate_on: [{ table: public.word, key: [id] }] } }
            """
        func sql(_ arguments: String...) async throws -> (end: RunningProgram.End?, output: String, errors: String) {
            try await run(["sql"] + arguments + ["--config", "a.yaml"], files: ["a.yaml": settings])
        }
        let before = try await sql("status")
        #expect(before.end == .code(3))
        #expect(before.output.hasPrefix("public.word (id): not as it should be\n"), "\(before)")
        #expect(before.errors == "run: pgsidecar sql install --config a.yaml --apply\n")
        let printed = try await sql("install")
        #expect(printed.end == .code(0))
        #expect(
            printed.output.contains(source == "notify" ? "create or replace trigger" : "create publication"),
            "\(printed)")
        #expect(try await sql("status").end == .code(3))

        #expect(try await sql("install", "--apply").output == "done\n")
        #expect(try await sql("install", "--apply").output == "nothing to do\n")
        #expect(try await sql("install").output == "-- nothing to do\n")
        let after = try await sql("status")
        #expect(after.end == .code(0))
        #expect(after.output == "public.word (id): as it should be\n")
        #expect(try await sql("uninstall", "--apply").output == "done\n")
        #expect(try await sql("uninstall").output == "-- nothing to do\n")
        #expect(try await sql("status").end == .code(3))
        #expect(try await database.run("select count(*) from pg_trigger where not tgisinternal") == "0")

        // What was printed is what would have been applied.
        try await database.run("begin; \(printed.output); commit")
        #expect(try await sql("status").end == .code(0))
    }

    @Test(arguments: [
        ("invalidation: { source: none }", "invalidation.source is 'none'"),
        ("invalidation: { source: notify }", "no group has 'invalidate_on'"),
    ])
    func `sql needs a source and tables`(settings: String, told: String) async throws {
        let file = "database: { url: 'postgresql:///x?host=/nowhere' }\n\(settings)\ngroups: { g: { sql: select 1 } }"
        let (end, _, errors) = try await run(["sql", "status", "--config", "a.yaml"], files: ["a.yaml": file])
        #expect(end == .code(78))
        #expect(errors.hasPrefix(told), "\(errors)")
    }

    @Test func `a table that is not there is told, and nothing is made`() async throws {
        let database = try await TestDatabase.shared()
        let file = """
            database: { url: "\(database.url)" }
            invalidation: { source: notify }
            groups: { g: { sql: select $1::int, invalidate_on: [{ table: public.word, key: [id] }, { table: public.wrod }] } }
            """
        let (end, output, errors) = try await run(
            ["sql", "install", "--apply", "--config", "a.yaml"], files: ["a.yaml": file])
        #expect(end == .code(78) && output.isEmpty)
        #expect(errors == "invalidate_on: there is no table public.wrod\n")
        #expect(try await database.run("select count(*) from pg_trigger where not tgisinternal") == "0")
    }

    @Test func `the demo prints three lines that work when pasted, and leaves nothing after Ctrl-C`() async throws {
        let folder = temporaryPath()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for name in ["Config", "sql"] { symlink("\(repository)/\(name)", "\(folder)/\(name)") }
        let demo = try RunningProgram([pgsidecarPath, "demo"], in: folder, environment: ["DATABASE_URL": ""])
        #expect(await eventually { demo.output.contains("Ctrl-C") || !demo.isRunning }, "\(demo.errors)")
        let lines = demo.output.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
            .filter { $0.hasPrefix("redis-cli") }
        #expect(lines.count == 3, "\(demo.output) \(demo.errors)")
        var answers: [String] = []
        for line in lines { answers.append(try await Program(command: ["/bin/sh", "-c", line]).run()) }
        #expect(answers.first == #"{"aid":4711,"bid":1,"abalance":0}"#)
        #expect(answers.allSatisfy { $0.hasPrefix("{") || $0.hasPrefix("[") }, "\(answers)")

        let made = try FileManager.default.contentsOfDirectory(atPath: "\(folder)/run")
        let home = try #require(made.first { $0.hasPrefix("demo-") })
        let server = try String(contentsOfFile: "\(folder)/run/\(home)/data/postmaster.pid", encoding: .utf8)
        let postmaster = try #require(pid_t(server.prefix { $0.isNumber }))
        #expect(kill(postmaster, 0) == 0)
        demo.signal(SIGINT)
        #expect(await demo.end() == .code(0), "\(demo.errors)")
        #expect(kill(postmaster, 0) == -1)
        // What removes them may end after the demo.
        #expect(try await eventually { try FileManager.default.contentsOfDirectory(atPath: "\(folder)/run").isEmpty })
        demo.expectNoRaces()
        try FileManager.default.removeItem(atPath: folder)
    }
}
