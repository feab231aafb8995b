import Foundation
import TestSupport
import Testing

/// The checker, `pgsidecar verify`: it finds nothing, and it finds what is done wrong on purpose.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct VerifyTests {
    /// Runs a short check and returns how it ended and what it printed.
    private func verify(_ options: String...) async throws -> (end: RunningProgram.End?, output: String) {
        let folder = temporaryPath()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        // The bound is no matter of how busy this machine is.
        let few = ["--keys", "1000", "--reads", "40000", "--writes", "4000", "--bound", "120"]
        let program = try RunningProgram([pgsidecarPath, "verify"] + few + options, in: folder)
        let end = await program.end(within: .seconds(500))
        if end == nil { program.signal(SIGKILL) }
        program.expectNoRaces()
        return (end, program.output + program.errors)
    }

    @Test(arguments: ["none", "notify", "logical"])
    func `nothing stale stays behind, whatever breaks, with little memory`(_ source: String) async throws {
        let (end, output) = try await verify("--source", source, "--memory", "1MiB", "--writes", "12000")
        #expect(end == .code(0), "\(output)")
        #expect(output.contains("broken meanwhile: "), "\(output)")
    }

    @Test func `entries are loaded again at once, and nothing stale stays behind`() async throws {
        // Writers don't wait for who loads all that they changed: the longer they write, the further behind a slow one is at last.
        let reads = isUnderThreadSanitizer ? "4000" : "40000"
        let (end, output) = try await verify("--source", "notify", "--reload", "--no-breaks", "--reads", reads)
        #expect(end == .code(0), "\(output)")
    }

    @Test(arguments: [
        ("none", "forget"), ("none", "early"), ("notify", "silent"), ("notify", "mislabel"), ("logical", "mislabel"),
    ])
    func `writers that do not tell, or tell before they commit, and rules that name a wrong column, are found`(
        _ source: String, _ sabotage: String
    )
        async throws
    {
        let (end, output) = try await verify("--source", source, "--no-breaks", "--sabotage", sabotage)
        #expect(end == .code(1), "\(output)")
        let line = output.split(separator: "\n").first { $0.hasSuffix("a value in memory that is not the database's") }
        #expect(line?.hasPrefix("0 ") == false, "\(output)")
    }

    @Test(arguments: [
        ["--source", "none", "--sabotage", "silent"], ["--source", "none", "--sabotage", "mislabel"],
        ["--source", "triggers"], ["--readers", "0"],
    ])
    func `options that make no sense are refused as usage`(_ options: [String]) async throws {
        let folder = temporaryPath()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let program = try RunningProgram([pgsidecarPath, "verify"] + options, in: folder)
        #expect(await program.end() == .code(64))
    }
}
