import CacheCore
import Foundation
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
            let process = Process()
            process.executableURL = URL(fileURLWithPath: redisCLI)
            process.arguments = ["-s", server.path, version, "PSUBSCRIBE", "__key*@0__:*"]
            let output = Pipe()
            process.standardOutput = output
            process.standardInput = Pipe()
            try process.run()
            defer { process.terminate() }
            var shown = ""
            func show(_ wanted: String) throws {
                while !shown.contains(wanted) {
                    let data = output.fileHandleForReading.availableData
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

    private func run(_ server: TestServer, _ arguments: String..., input: String = "") throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: redisCLI)
        process.arguments = ["-s", server.path] + arguments
        let output = Pipe()
        let source = Pipe()
        process.standardOutput = output
        process.standardInput = source
        try process.run()
        try source.fileHandleForWriting.write(contentsOf: Data(input.utf8))
        try source.fileHandleForWriting.close()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return String(decoding: data, as: UTF8.self)
    }
}

private let redisCLI = "/usr/bin/redis-cli"
