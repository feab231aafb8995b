import CacheCore
import Foundation
import PrivateDatabase
import Server
import TestSupport
import Testing

/// The client that comes with Redis, where it is installed.
@Suite(.timeLimit(.minutes(10)), .enabled(if: FileManager.default.isExecutableFile(atPath: redisCLI)))
struct RedisCLITests {
    @Test(arguments: ["-2", "-3"])
    func `redis-cli asks in both versions of the protocol`(_ version: String) async throws {
        let getter = HeldGetter { $0 == "none" ? .value(.missing) : .text("value of \($0)") }
        try await withServer([try served("word", getter)]) { server async throws in
            #expect(try run(server, version, "GET", "word:a b") == "value of a b\n")
            #expect(try run(server, version, "GET", "word:none") == "\n")
            #expect(try run(server, version, "MGET", "word:a", "word:b") == "value of a\nvalue of b\n")
            let setting = try run(server, version, "CONFIG", "GET", "appendonly")
            #expect(setting.split(whereSeparator: \.isWhitespace) == ["appendonly", "no"])
            #expect(try run(server, version, "SET", "word:a", "x").hasPrefix("ERR SET is not supported"))
            let keys = try run(server, version, "--scan").split(separator: "\n").sorted()
            #expect(keys == ["word:a", "word:a b", "word:b", "word:none"])
        }
    }

    @Test func `redis-cli pipes commands from its input`() async throws {
        try await withServer([try served("word", HeldGetter { .text($0) })]) { server async throws in
            let input = (0..<1000).map { "GET word:\($0)\n" }.joined()
            let expected = (0..<1000).map { "\($0)\n" }.joined()
            #expect(try run(server, input: input) == expected)
        }
    }

    @Test(arguments: ["-2", "-3"])
    func `redis-cli shows keyspace events`(_ version: String) async throws {
        try await withServer([try served("word", HeldGetter { .text($0) })]) { server async throws in
            let (program, output, input) = try start(server, [version, "PSUBSCRIBE", "__key*@0__:*"])
            defer {
                program.signal(SIGTERM)
                withExtendedLifetime(input) {}
            }
            var shown = ""
            func show(_ wanted: String) throws {
                while !shown.contains(wanted) {
                    let data = output.availableData
                    guard !data.isEmpty else { throw Failure("redis-cli ended: \(shown)") }
                    shown += String(decoding: data, as: UTF8.self)
                }
            }
            try show("psubscribe\n__key*@0__:*\n1\n")
            _ = try TestClient(server.path).ask("GET", "word:a")
            try show("pmessage\n__key*@0__:*\n__keyspace@0__:word:a\nloaded\n")
            try show("pmessage\n__key*@0__:*\n__keyevent@0__:loaded\nword:a\n")
        }
    }

    private func run(_ server: TestServer, _ arguments: String..., input text: String = "") throws -> String {
        let (program, output, input) = try start(server, arguments)
        try input.write(contentsOf: Data(text.utf8))
        try input.close()
        let data = try output.readToEnd() ?? Data()
        _ = program.wait()
        return String(decoding: data, as: UTF8.self)
    }

    /// Starts redis-cli, and gives the ends of its pipes. (Foundation's `Process` lists this process's descriptors, and crashes now
    /// and then where they are more than a thousand, as beside other tests.)
    private func start(
        _ server: TestServer, _ arguments: [String]
    ) throws -> (program: ChildProcess, output: FileHandle, input: FileHandle) {
        let (output, itsOutput) = try openPipe()
        let (itsInput, input) = try openPipe()
        defer {
            close(itsOutput)
            close(itsInput)
        }
        let program = try ChildProcess(
            Program(command: [redisCLI, "-s", server.path] + arguments), input: itsInput, output: itsOutput)
        return (
            program, FileHandle(fileDescriptor: output, closeOnDealloc: true),
            FileHandle(fileDescriptor: input, closeOnDealloc: true)
        )
    }
}

private let redisCLI = "/usr/bin/redis-cli"
