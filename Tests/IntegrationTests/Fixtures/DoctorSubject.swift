import Foundation
import PrivateDatabase
import TestSupport
import Testing

/// Settings, a folder and a database with a role of its own, of which nothing is wrong until a test sees to it.
final class DoctorSubject {
    /// One thing that the doctor told.
    struct Finding: Decodable {
        struct Remedy: Decodable {
            let kind: String
            let text: String
        }

        let check: String
        let severity: String
        let seen: String
        let remedies: [Remedy]
    }

    let database: TestDatabase
    let folder = temporaryPath()
    let role: String
    /// The settings' sections, each with its keys; those without a section stand under "".
    var sections: [String: [String: String]]
    var groups = "word: { sql: 'select text from word where id = $1', returns: value }"
    /// A command that executes the one that follows it.
    var wrapper: [String] = []

    var socket: String { "\(folder)/s.sock" }
    /// A URL for a user of this database.
    func url(_ user: String) -> String { database.url.replacing("user=postgres", with: "user=\(user)") }

    /// One on `database`, whose role may read the words.
    init(_ database: TestDatabase) async throws {
        self.database = database
        role = "reader_\(database.name)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        chmod(folder, 0o755)
        try await database.run("create role \(role) login; grant select on word to \(role)")
        // By itself: in a transaction with more, it and an autovacuum could wait for one another.
        try await database.run("analyze word")
        sections = [
            "listen": ["socket": "\(folder)/s.sock", "max_clients": "50"],
            "database": [
                "url": "\"\(database.url.replacing("user=postgres", with: "user=\(role)"))\"", "connections": "2",
                "connect_timeout": "60s",
            ],
            "": ["memory": "16MiB"],
        ]
    }

    /// One on a server that all tests share.
    convenience init() async throws { try await self.init(TestDatabase.shared()) }

    /// Runs a test with one on a server of its own, which may be restarted.
    static func with(
        _ settings: [String: String], _ body: (DoctorSubject) async throws -> Void
    ) async throws {
        let database = try await TestDatabase.fresh(settings)
        try await body(DoctorSubject(database))
        await database.server.remove()
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// What the doctor finds, and its exit code.
    func examine() async throws -> (findings: [Finding], end: RunningProgram.End?) {
        let program = try RunningProgram(
            wrapper + [pgsidecarPath, "doctor", "--config", "a.yaml", "--json"], in: try written())
        let end = await program.end(within: .seconds(240))
        program.expectNoRaces()
        guard let report = try? JSONDecoder().decode([String: [Finding]].self, from: Data(program.output.utf8)) else {
            throw Failure("no report: \(program.output) \(program.errors)")
        }
        return (report["findings"] ?? [], end)
    }

    /// What the doctor tells people.
    func told() async throws -> String {
        let program = try RunningProgram(wrapper + [pgsidecarPath, "doctor", "--config", "a.yaml"], in: try written())
        _ = await program.end(within: .seconds(240))
        return program.output + program.errors
    }

    /// Writes the settings; returns the folder.
    private func written() throws -> String {
        let lines = sections.sorted { $0.key < $1.key }.flatMap { name, keys in
            let pairs = keys.sorted { $0.key < $1.key }.map { "\($0): \($1)" }
            return name.isEmpty ? pairs : ["\(name): { \(pairs.joined(separator: ", ")) }"]
        }
        let text =
            lines.joined(separator: "\n") + "\ngroups:\n"
            + groups.split(separator: "\n").map { "  \($0)\n" }.joined()
        try text.write(toFile: "\(folder)/a.yaml", atomically: true, encoding: .utf8)
        chmod("\(folder)/a.yaml", 0o644)
        return folder
    }

    /// Does what the doctor says, as whoever may.
    func carryOut(_ remedy: Finding.Remedy) async throws {
        switch remedy.kind {
        case "set":
            let parts = remedy.text.split(separator: ":", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
            let path = parts[0].split(separator: ".").map(String.init)
            sections[path.count == 1 ? "" : path[0], default: [:]][path[path.count - 1]] = parts[1]
        case "sql":
            try await database.run(remedy.text)
            if remedy.text.contains("restart") {
                await database.server.stop()
                try await database.server.start()
            }
        case "run":
            let programs = URL(fileURLWithPath: pgsidecarPath).deletingLastPathComponent().path
            _ = try await Program(
                command: ["/bin/sh", "-c", "cd '\(folder)' && \(remedy.text)"],
                environment: [
                    "PATH": "\(programs):\(ProcessInfo.processInfo.environment["PATH"] ?? "")",
                    "OWNER_URL": database.url,
                ]
            ).run()
        case let kind: throw Failure("nobody can carry out \(kind): \(remedy.text)")
        }
    }

    /// Expects that a check finds what is wrong, does what it says, and expects that the doctor finds nothing wrong any more.
    func expectMended(
        _ check: String, _ severity: String, seeing seen: String, by remedies: [String],
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let (findings, end) = try await examine()
        let found = findings.first { $0.check == check && $0.severity == severity && $0.seen.contains(seen) }
        guard let found else {
            Issue.record("not found: \(findings)", sourceLocation: sourceLocation)
            return
        }
        #expect(end == .code(severity == "fail" ? 4 : 3), "\(findings)", sourceLocation: sourceLocation)
        #expect(found.remedies.map { "\($0.kind): \($0.text)" } == remedies, sourceLocation: sourceLocation)
        for remedy in found.remedies { try await carryOut(remedy) }
        try await expectSound(sourceLocation: sourceLocation)
    }

    /// Expects that the doctor finds nothing wrong.
    func expectSound(sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let (findings, end) = try await examine()
        #expect(end == .code(0), "\(findings.filter { $0.severity != "ok" })", sourceLocation: sourceLocation)
        #expect(findings.allSatisfy { $0.severity == "ok" }, "\(findings)", sourceLocation: sourceLocation)
    }
}
