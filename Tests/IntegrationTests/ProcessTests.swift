import Foundation
import Glibc
import Groundwork
import Machine
import PrivateDatabase
import TestSupport
import Testing

/// `pgsidecar serve` as a process: signals, its socket, and whoever started it.
@Suite(.timeLimit(.minutes(10)))
struct ProcessTests {
    private func settings(_ database: TestDatabase) -> String {
        """
        database: { url: "\(database.url)" }
        drain_timeout: 60s
        groups:
          word: { sql: "\(TestDatabase.heldWord())", returns: value, load_timeout: 5m }
        """
    }

    /// Has a client that waits for a load of word 7, which is held.
    private func askHeldWord(_ sidecar: RunningSidecar) async throws -> TestClient {
        let client = try sidecar.client()
        try client.send("GET", "word:7")
        #expect(await sidecar.counts("gets", 1, of: "word"))
        return client
    }

    @Test func `SIGTERM closes the socket's path, answers what is in flight and ends with 0`() async throws {
        let database = try await TestDatabase.shared()
        try await withSidecar(settings(database), seenToEnd: true) { sidecar in
            let hold = try await database.hold(7)
            let client = try await askHeldWord(sidecar)
            sidecar.process.signal(SIGTERM)
            #expect(await eventually { !FileManager.default.fileExists(atPath: sidecar.socket) })
            #expect(throws: Failure.self) { try sidecar.client() }
            #expect(sidecar.process.isRunning)
            try await hold.release()
            #expect(try client.receive() == .bulk("word 7"))
            #expect(await sidecar.process.end() == .code(0))
        }
    }

    @Test func `SIGTERM ends it with 0 while a thread of libpq's connects to the database`() async throws {
        let folder = temporaryPath()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try """
        database: { url: "postgresql:///app?host=\(folder)&user=app", password: sesame, connections: 1, connect_timeout: 100s }
        listen: { socket: \(folder)/s.sock }
        groups:
          word: { sql: "select $1::text", returns: value }
        """.write(toFile: "\(folder)/pgsidecar.yaml", atomically: true, encoding: .utf8)
        let script = "\(repository)/Tests/IntegrationTests/Clients/end_while_connecting.py"
        let sidecar = [pgsidecarPath, "serve", "--config", "\(folder)/pgsidecar.yaml"]
        #expect(try await Program(command: [try pythonPath(), script, folder] + sidecar).run() == "all is well")
    }

    @Test(arguments: [SIGTERM, SIGINT])
    func `a second signal ends it at once`(_ signal: Int32) async throws {
        let database = try await TestDatabase.shared()
        try await withSidecar(settings(database), seenToEnd: true) { sidecar in
            let hold = try await database.hold(7)
            let client = try await askHeldWord(sidecar)
            sidecar.process.signal(signal)
            #expect(await eventually { !FileManager.default.fileExists(atPath: sidecar.socket) })
            sidecar.process.signal(signal)
            #expect(await sidecar.process.end(within: .seconds(50)) == .signal(signal))
            try await hold.release()
            withExtendedLifetime(client) {}
        }
    }

    @Test func `streams that were closed at the start lead nowhere, and not into what is opened next`() async throws {
        let database = try await TestDatabase.shared()
        let wrapper = ["sh", "-c", "exec \"$@\" <&- >&- 2>&-", "sh"]
        try await withSidecar(settings(database), wrapper: wrapper) { sidecar in
            #expect(try sidecar.client().ask("GET", "word:8") == .bulk("word 8"))
            let process = try sidecar.info("process_id")
            for stream in 0...2 {
                let target = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(process)/fd/\(stream)")
                #expect(target == "/dev/null")
            }
        }
    }

    @Test func `the socket that a killed one left behind is taken over`() async throws {
        let database = try await TestDatabase.shared()
        try await withSidecar(settings(database), seenToEnd: true) { killed in
            killed.process.signal(SIGKILL)
            #expect(await killed.process.end() == .signal(SIGKILL))
            #expect(FileManager.default.fileExists(atPath: killed.socket))
            try await withSidecar(settings(database), in: killed.folder) { successor in
                let client = try successor.client()
                #expect(try client.ask("GET", "word:7") == .bulk("word 7"))
            }
        }
    }

    @Test func `a second one at the same socket says so and ends, and the first goes on`() async throws {
        let database = try await TestDatabase.shared()
        try await withSidecar(settings(database)) { first in
            let client = try first.client()
            let folder = temporaryPath()
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(atPath: folder) }
            let second = try RunningProgram(
                [pgsidecarPath, "serve", "--config", "\(first.folder)/pgsidecar.yaml"], in: folder)
            #expect(await second.end() == .code(1))
            #expect(second.errors.contains("another process serves \(first.socket)"), "\(second.errors)")
            second.expectNoRaces()
            #expect(try client.ask("GET", "word:7") == .bulk("word 7"))
            #expect(try first.client().ask("PING") == .simpleString("PONG"))
        }
    }

    @Test func `a socket from systemd is served and left in place, and systemd is told when`() async throws {
        let database = try await TestDatabase.shared()
        let folder = temporaryPath()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let manager = try DatagramSocket("\(folder)/notify")
        let activate = [try pythonPath(), "\(repository)/Tests/IntegrationTests/Clients/activate.py"]
        try await withSidecar(
            settings(database), in: folder, wrapper: activate + ["\(folder)/s.sock"],
            environment: ["NOTIFY_SOCKET": "\(folder)/notify"], seenToEnd: true
        ) { sidecar in
            #expect(try await manager.next() == "READY=1")
            let client = try sidecar.client()
            #expect(try client.ask("GET", "word:7") == .bulk("word 7"))
            sidecar.process.signal(SIGTERM)
            #expect(try await manager.next() == "STOPPING=1")
            #expect(await sidecar.process.end() == .code(0))
            #expect(FileManager.default.fileExists(atPath: sidecar.socket))
        }
    }

    @Test func `over ten upgrades behind a socket of systemd nobody is refused, and all that was sent is answered`()
        async throws
    {
        let database = try await TestDatabase.shared()
        let folder = temporaryPath()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        // Most requests wait for a load.
        try """
        database: { url: "\(database.url)", connections: 4 }
        listen: { socket: \(folder)/s.sock }
        threads: 2
        groups:
          word: { sql: "select text from word where id = $1", returns: value, ttl: 100ms, load_timeout: 30s }
        """.write(toFile: "\(folder)/pgsidecar.yaml", atomically: true, encoding: .utf8)
        let script = "\(repository)/Tests/IntegrationTests/Clients/upgrade.py"
        let sidecar = [pgsidecarPath, "serve", "--config", "\(folder)/pgsidecar.yaml"]
        let said = try await Program(command: [try pythonPath(), script, "\(folder)/s.sock", "10"] + sidecar).run()
        #expect(said == "all is well")
    }

    @Test func `a database that is away at the start does not keep it from serving`() async throws {
        let database = try await TestDatabase.fresh()
        await database.server.stop()
        try await withSidecar(settings(database)) { sidecar in
            let client = try sidecar.client()
            #expect(try client.ask("GET", "word:7").isError)
            try await database.server.start()
            #expect(try await eventually { try client.ask("GET", "word:7") == .bulk("word 7") })
        }

        await database.server.remove()
    }
}

/// The service manager's end of `NOTIFY_SOCKET`.
private final class DatagramSocket: Sendable {
    private let descriptor: Int32

    init(_ path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard UnixAddress.bind(descriptor, to: path) == 0 else { throw Failure("bind to \(path): errno \(errno)") }
    }

    deinit { close(descriptor) }

    /// The next message.
    func next() async throws -> String {
        var bytes = [UInt8](repeating: 0, count: 256)
        var count = -1
        _ = await eventually {
            count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
            return count >= 0
        }
        guard count >= 0 else { throw Failure("nothing was said to the service manager") }
        return String(decoding: bytes[..<count], as: UTF8.self)
    }
}
