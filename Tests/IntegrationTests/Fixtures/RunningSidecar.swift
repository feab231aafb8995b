import Foundation
import Glibc
import Groundwork
import PrivateDatabase
import TestSupport
import Testing

/// A `pgsidecar serve` of the built executable, with a folder of its own for settings, socket and output.
final class RunningSidecar: Sendable {
    let folder: String
    let process: RunningProgram
    private let listen: String

    var socket: String { "\(folder)/s.sock" }

    /// Starts it.
    ///
    /// - Parameters:
    ///   - settings: The YAML behind `listen:`. `database:` and `groups:` stand in it.
    ///   - listen: More of `listen:`, each with a comma before it.
    ///   - folder: Where to live; one that is there keeps what is in it.
    ///   - wrapper: A command that executes the one that follows it.
    init(
        _ settings: String, listen more: String = "", in folder: String = temporaryPath(), wrapper: [String] = [],
        options: [String] = [], environment: [String: String] = [:]
    ) throws {
        self.folder = folder
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let file = "\(folder)/pgsidecar.yaml"
        listen = "listen: { socket: \(folder)/s.sock, max_clients: 500\(more) }\n"
        try (listen + settings).write(toFile: file, atomically: true, encoding: .utf8)
        process = try RunningProgram(
            wrapper + [pgsidecarPath, "serve", "--config", file] + options, in: folder, environment: environment)
    }

    /// Writes other settings, for who reads them again.
    func rewrite(_ settings: String) throws {
        try (listen + settings).write(toFile: "\(folder)/pgsidecar.yaml", atomically: true, encoding: .utf8)
    }

    /// Writes other settings and has them read.
    func reload(_ settings: String) throws -> Reply {
        try rewrite(settings)
        return try client().ask("PGS.RELOAD")
    }

    /// Waits until clients can connect.
    func ready() async throws {
        let socket = socket
        let settled = await eventually { !self.process.isRunning || (try? TestClient(socket)) != nil }
        guard settled, process.isRunning else { throw Failure("pgsidecar did not start: \(process.errors)") }
    }

    func client() throws -> TestClient { try TestClient(socket) }

    /// Ends it softly and removes its folder. A race that the thread sanitizer saw fails the test, as does any other
    /// exit code than 0.
    func end() async {
        process.signal(SIGTERM)
        let end = await process.end()
        #expect(end == .code(0), "\(process.errors)")
        remove()
    }

    /// Removes what it left, when it ended otherwise.
    func remove() {
        process.signal(SIGKILL)
        process.expectNoRaces()
        try? FileManager.default.removeItem(atPath: folder)
    }

    // MARK: What it tells of itself

    /// A group's figures.
    func statistics(_ group: String) throws -> [String: Int] {
        guard case .array(let parts) = try client().ask("PGS.STATS", group) else { throw Failure("no statistics") }
        return try Dictionary(
            uniqueKeysWithValues: stride(from: 0, to: parts.count, by: 2).map { index in
                guard case .bulk(let name) = parts[index], case .integer(let figure) = parts[index + 1] else {
                    throw Failure("no statistics")
                }
                return (String(decoding: name, as: UTF8.self), figure)
            })
    }

    /// A line of `INFO`.
    func info(_ name: String) throws -> String {
        guard case .bulk(let bytes) = try client().ask("INFO") else { throw Failure("no INFO") }
        let lines = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline)
        guard let line = lines.first(where: { $0.hasPrefix("\(name):") }) else { throw Failure("no \(name) in INFO") }
        return String(line.dropFirst(name.utf8.count + 1))
    }

    /// The port where it tells operators, when `admin.listen` leaves that to the kernel. Waits for the line that says it.
    func adminPort() async throws -> Int {
        func told() -> Int? {
            process.errors.firstMatch(of: /metrics and health .*port=(\d+)/).flatMap { Int($0.1) }
        }
        #expect(await eventually { told() != nil })
        return try #require(told())
    }

    /// Waits until a group's figure has come to be `value`.
    func counts(_ figure: String, _ value: Int, of group: String) async -> Bool {
        await eventually { (try? self.statistics(group)[figure]) == value }
    }
}

/// Runs a test with a sidecar that is ready, and leaves nothing of it. At the end the sidecar has to end well, unless the
/// test has seen to that.
func withSidecar(
    _ settings: String, listen more: String = "", in folder: String = temporaryPath(), wrapper: [String] = [],
    environment: [String: String] = [:], seenToEnd seen: Bool = false, _ body: (RunningSidecar) async throws -> Void
) async throws {
    let sidecar = try RunningSidecar(settings, listen: more, in: folder, wrapper: wrapper, environment: environment)
    do {
        try await sidecar.ready()
        try await body(sidecar)
    } catch {
        sidecar.remove()
        throw error
    }
    if seen { sidecar.remove() } else { await sidecar.end() }
}
