import CacheCore
import EventLoop
import Foundation
import Groundwork
import Machine
import TestSupport
import Testing

@testable import Server

/// Start and end of a server, and its socket's path.
@Suite(.timeLimit(.minutes(10)))
struct LifeTests {
    @Test func `a second server at one path fails, and the first goes on`() async throws {
        try await withServer([]) { server in
            let client = try TestClient(server.path)
            let error = #expect(throws: ServerError.self) {
                try TestServer([], configure: { $0.socket = server.path })
            }
            #expect(error?.code == .inUse)
            #expect(error?.description.contains(server.path) == true)
            #expect(try client.ask("PING") == .simpleString("PONG"))
            let another = try TestClient(server.path)
            #expect(try another.ask("PING") == .simpleString("PONG"))
        }
    }

    @Test func `a path left behind by a crash is taken over`() async throws {
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = folder + "/s.sock"
        let left = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        #expect(UnixAddress.bind(left, to: path) == 0)
        close(left)
        try await withServer([], configure: { $0.socket = path }) { server in
            let client = try TestClient(server.path)
            #expect(try client.ask("PING") == .simpleString("PONG"))
        }
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test func `a socket that another program listens at is left alone`() throws {
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = folder + "/s.sock"
        let other = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(other) }
        #expect(UnixAddress.bind(other, to: path) == 0)
        #expect(listen(other, 128) == 0)
        #expect(#expect(throws: ServerError.self) { try SocketPath(ServerSettings(socket: path)) }?.code == .inUse)
        #expect(FileManager.default.fileExists(atPath: path))
    }

    @Test func `a file that is no socket is left alone`() throws {
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = folder + "/precious"
        #expect(FileManager.default.createFile(atPath: path, contents: Data("x".utf8)))
        #expect(#expect(throws: ServerError.self) { try SocketPath(ServerSettings(socket: path)) }?.code == .notASocket)
        #expect(FileManager.default.contents(atPath: path) == Data("x".utf8))
    }

    @Test func `a path that the kernel cannot take is refused with its length`() {
        let path = "/tmp/" + String(repeating: "x", count: 110)
        let error = #expect(throws: ServerError.self) { try SocketPath(ServerSettings(socket: path)) }
        #expect(error?.code == .badPath)
        #expect(error?.description.contains("115") == true)
    }

    @Test func `the path has the mode of the settings and their group`() throws {
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var settings = ServerSettings(socket: folder + "/s.sock")
        settings.mode = 0o606
        settings.group = getegid()
        let path = try SocketPath(settings)
        var status = stat()
        #expect(stat(settings.socket, &status) == 0)
        #expect(status.st_mode & 0o777 == 0o606)
        #expect(status.st_gid == getegid())
        path.close()
    }

    @Test func `a path that somebody else has taken meanwhile is not removed`() throws {
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let settings = ServerSettings(socket: folder + "/s.sock")
        let path = try SocketPath(settings)
        unlink(settings.socket)
        // While the first still holds its inode, the second can't get the same number.
        let other = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(other) }
        #expect(UnixAddress.bind(other, to: settings.socket) == 0)
        path.close()
        #expect(FileManager.default.fileExists(atPath: settings.socket))
    }

    @Test(arguments: [false, true])
    func `a path that somebody removes is made again, and told once`(withLock: Bool) async throws {
        let log = LogRecorder()
        try await withServer([try served("word", HeldGetter { .text($0) })], log: log) { server in
            let client = try TestClient(server.path)
            for turn in 1...2 {
                #expect(unlink(server.path) == 0)
                if withLock { #expect(unlink(server.path + ".lock") == 0) }
                #expect(await eventually { (try? TestClient(server.path).ask("GET", "word:a")) == .bulk("a") })
                #expect(await eventually { log.messages.count { $0.contains("path was removed: made again") } == turn })
            }
            #expect(try client.ask("GET", "word:a") == .bulk("a"))
            // A second server still finds it taken.
            let error = #expect(throws: ServerError.self) { try SocketPath(ServerSettings(socket: server.path)) }
            #expect(error?.code == .inUse)
        }
    }

    @Test func `a path that another program has taken is left alone, which is told once`() async throws {
        let log = LogRecorder()
        try await withServer([], log: log) { server in
            #expect(unlink(server.path) == 0)
            let other = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
            defer { close(other) }
            #expect(UnixAddress.bind(other, to: server.path) == 0)
            #expect(listen(other, 128) == 0)
            #expect(await eventually { log.messages.contains { $0.contains("can't be made again") } })
            #expect(FileIdentity(at: server.path)?.isSocket == true)
            guard case .somebody = SocketPath.probe(server.path) else {
                Issue.record("nobody listens")
                return
            }
        }
    }

    @Test func `what is in flight at the end is answered, and nobody new gets in`() async throws {
        let getter = HeldGetter()
        let server = try TestServer([try served("word", getter)])
        let client = try TestClient(server.path)
        let idle = try TestClient(server.path)
        #expect(try idle.ask("PING") == .simpleString("PONG"))
        try client.send("GET", "word:a")
        #expect(getter.waitForLoads(1))
        let ending = Task { await server.end(deadline: .seconds(120)) }
        #expect(try idle.isAtEnd())
        #expect(throws: (any Error).self) { try TestClient(server.path) }
        #expect(getter.finish("a", "v"))
        #expect(try client.receive() == .bulk("v"))
        #expect(try client.isAtEnd())
        await ending.value
    }

    @Test func `who connected before the end is answered, though nobody had accepted it yet`() async throws {
        let loop = LoopHolder(at: "a")
        let server = try TestServer([try served("word", loop.getter)], loops: 1)
        let holder = try TestClient(server.path)
        try holder.send("GET", "word:a")
        #expect(loop.holds())
        // More than are accepted in one round.
        let clients = try (0..<100).map { _ in try TestClient(server.path) }
        for client in clients { try client.send("PING") }
        let ending = Task { await server.end(deadline: .seconds(120)) }
        #expect(await eventually { !server.server.isServing })
        loop.goOn()
        #expect(try holder.receive() == .bulk("a"))
        for client in clients {
            #expect(try client.receive() == .simpleString("PONG"))
            #expect(try client.isAtEnd())
        }
        await ending.value
    }

    @Test func `a load that does not end delays the end until its deadline only`() async throws {
        let getter = HeldGetter()
        let group = try served("word", getter) { $0.loadTimeout = .seconds(600) }
        let server = try TestServer([group])
        let client = try TestClient(server.path)
        try client.send("GET", "word:a")
        #expect(getter.waitForLoads(1))
        await server.end(deadline: .milliseconds(50))
        #expect(try client.isAtEnd())
        #expect(!getter.isWanted("a"))
    }

    @Test func `the service manager hears that the service is ready`() throws {
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        for name in ["@pgs-test-\(UUID().uuidString)", folder + "/notify"] {
            let receiver = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
            defer { close(receiver) }
            #expect(UnixAddress.bind(receiver, to: name.hasPrefix("@") ? "\0" + name.dropFirst() : name) == 0)
            ServiceNotification.ready.send(to: name)
            var bytes = [UInt8](repeating: 0, count: 64)
            let count = recv(receiver, &bytes, bytes.count, Int32(MSG_DONTWAIT))
            #expect(String(decoding: bytes.prefix(max(0, count)), as: UTF8.self) == "READY=1")
        }
    }

    @Test func `a socket of systemd is taken only by the process it is meant for`() throws {
        #expect(try InheritedSocket.take { _ in nil } == nil)
        #expect(try InheritedSocket.take { $0 == "LISTEN_PID" ? "1" : "1" } == nil)
        #expect(try InheritedSocket.take { $0 == "LISTEN_PID" ? "\(getpid())" : "0" } == nil)
    }

    private func temporaryFolder() throws -> String {
        let folder = NSTemporaryDirectory() + "pgs-" + UUID().uuidString.prefix(8)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        return folder
    }
}
