import CacheCore
import EventLoop
import Foundation
import Glibc
import Groundwork
import Logging
import Postgres
import PrivateDatabase
import TestSupport
import Testing

/// Each of these breaks a server of its own.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct FaultTests {
    private let echo = QueryGetter(name: "echo", sql: "select $1::text", returns: .value)

    /// Loads keys one after the other until told to stop; gives what came and the longest time that one took.
    private func loadAll(_ bench: Bench, until done: Flag) async -> [Answer] {
        await withTaskGroup(of: [Answer].self) { group in
            for worker in 0..<8 {
                group.addTask {
                    var answers: [Answer] = []
                    while !done.isSet {
                        let key = "\(worker)-\(answers.count)"
                        let answer = await bench.load("echo", key, on: worker % 2)
                        answers.append(answer == .text(key) ? .text("right") : answer)
                    }
                    return answers
                }
            }
            return await group.reduce(into: []) { $0 += $1 }
        }
    }

    @Test func `the pools of a database that is gone, and that nobody stopped, go on by themselves`() async throws {
        let server = try await Server.shared()
        let loop = try EventLoop()
        loop.start()
        var settings = DatabaseSettings()
        settings.url = Secret("\(server.url)&application_name=orphan")
        settings.connections = 1
        // Nobody else has hold of a database without getters.
        Database(settings: settings, loops: [loop], getters: [], logger: Logger(label: "test")).start()
        func process() async throws -> String {
            try await server.psql("select pid from pg_stat_activity where application_name = 'orphan load'")
        }
        #expect(try await eventually { try await process() != "" })
        let first = try await process()
        _ = try await server.psql("select pg_terminate_backend(\(first))")
        #expect(try await eventually { try await !["", first].contains(process()) })
        await loop.end()
    }

    @Test func `a database that is killed and restarted under load costs errors and no wrong answer`() async throws {
        let server = try await Server.fresh()
        let bench = try Bench(server.url, [echo])
        let done = Flag()
        async let loading = loadAll(bench, until: done)
        #expect(await bench.eventually { $0.connectionsReady == 4 && $0.loadsSent > 200 })
        await server.kill()
        #expect(await bench.eventually { $0.connectionsReady == 0 })
        try await server.start()
        #expect(await bench.eventually { $0.connectionsReady == 4 })
        let sent = bench.database.status.loadsSent
        #expect(await bench.eventually { $0.loadsSent > sent + 200 })
        done.set()
        // Nobody waited until load_timeout, which is another error.
        for answer in await loading where answer != .text("right") {
            #expect(answer == .error(.unavailable, "echo: the database cannot be reached"))
        }
        #expect(bench.database.status.connectionsLost >= 4)
        await bench.stop()
        await server.remove()
    }

    @Test func `a database that hangs is given up after the load timeout and asked again when it goes on`() async throws
    {
        let server = try await Server.fresh()
        let bench = try Bench(
            server.url, loadTimeout: .seconds(3), settings: { $0.connectTimeout = .seconds(10) }, [echo])
        #expect(await bench.eventually { $0.connectionsReady == 4 })
        #expect(await bench.load("echo", "a") == .text("a"))
        await server.suspend()
        #expect(await bench.load("echo", "b") == .error(.unavailable, "echo: the database does not answer"))
        #expect(bench.database.status.connectionsLost == 1)
        await server.resume()
        #expect(await eventually { await bench.load("echo", "c") == .text("c") })
        #expect(await bench.eventually { $0.connectionsReady == 4 })
        await bench.stop()
        await server.remove()
    }

    @Test func `loads that wait for the first connection are not sent when nobody wants them any more`() async throws {
        let server = try await Server.fresh()
        let batched = QueryGetter(
            name: "batched", sql: "select $1::text", returns: .value,
            batch: BatchQuery(sql: "select k, k from unnest($1::text[]) k"))
        await server.suspend()
        let bench = try Bench(server.url, loops: 1, [echo, batched])
        async let plain = bench.load("echo", "a", wait: .zero)
        async let gathered = bench.load("batched", "b", wait: .zero)
        async let wanted = bench.load("batched", "c")
        #expect(await bench.eventually { $0.loadsQueued == 3 })
        await server.resume()
        #expect(await wanted == .text("c"))
        #expect(await [plain.code, gathered.code] == [.abandoned, .abandoned])
        #expect(bench.database.status.loadsSent == 1)
        await bench.stop()
        await server.remove()
    }

    @Test func `a key that takes too long does not fail those behind it, and is cancelled`() async throws {
        let server = try await Server.fresh()
        let slow = QueryGetter(
            name: "slow", sql: "select case when $1 = 'slow' then pg_sleep(60)::text else $1 end", returns: .value)
        let bench = try Bench(
            server.url, loops: 1, loadTimeout: .seconds(3), settings: { $0.connections = 1 }, [slow])
        #expect(await bench.eventually { $0.connectionsReady == 1 })
        #expect(await bench.load("slow", "a") == .text("a"))
        bench.trust()
        async let late = bench.load("slow", "slow")
        #expect(await bench.eventually { $0.loadsSent == 2 })
        async let behind = bench.load("slow", "b")
        #expect(await late.code == .timedOut)
        #expect(await behind == .text("b"))
        #expect(bench.database.status.connectionsLost == 0)
        let sleeping =
            "select count(*) from pg_stat_activity where query like '%pg_sleep(60)%' and pid <> pg_backend_pid() and state = 'active'"
        #expect(try await eventually { try await server.psql(sleeping).hasPrefix("0") })
        await bench.stop()
        await server.remove()
    }

    @Test func `a pool that gets fewer connections than it wants works with those`() async throws {
        let server = try await Server.fresh(["max_connections": "6", "superuser_reserved_connections": "3"])
        _ = try await server.psql("create role app login")
        let url = server.url.replacing("user=postgres", with: "user=app")
        let bench = try Bench(url, settings: { $0.connections = 10 }, [echo])
        #expect(
            await bench.eventually { $0.connectionsReady >= 1 && $0.lastError != nil && $0.connectionsConnecting == 0 })
        let answers = await withTaskGroup(of: Answer.self) { group in
            for index in 0..<300 { group.addTask { await bench.load("echo", "\(index)", on: index % 2) } }
            return await group.reduce(into: 0) { $0 += $1.code == nil ? 1 : 0 }
        }
        #expect(answers == 300)
        // No hot loop: the number of refusals is that of the first round and a few retries.
        let log = try String(contentsOfFile: server.folder + "/postgres.log", encoding: .utf8)
        #expect(log.components(separatedBy: "remaining connection slots").count < 40)
        await bench.stop()
        await server.remove()
    }

    @Test func `a database that is down at the start is an error at once, and is found when it comes`() async throws {
        let server = try await Server.fresh()
        await server.stop()
        let bench = try Bench(server.url, [echo])
        #expect(await bench.eventually { $0.lastError != nil && $0.connectionsConnecting == 0 })
        #expect(await bench.load("echo", "a") == .error(.unavailable, "echo: the database cannot be reached"))
        #expect(bench.database.descriptions == nil)
        await #expect(throws: ConnectError.self) { _ = try await bench.database.describe() }
        try await server.start()
        #expect(await eventually { await bench.load("echo", "b") == .text("b") })
        #expect(await eventually { bench.database.descriptions?.count == 1 })
        await bench.stop()
        await server.remove()
    }

    @Test func `of several hosts the first may be dead`() async throws {
        let server = try await Server.shared()
        let dead = "host=/nonexistent,\(server.folder) dbname=postgres user=postgres"
        let bench = try Bench(dead, [echo])
        #expect(await bench.load("echo", "a") == .text("a"))
        await bench.stop()
    }

    @Test func `of several hosts the first may be silent`() async throws {
        let server = try await Server.shared()
        let silent = try SilentServer()
        let hosts = "host=\(silent.folder),\(server.folder) dbname=postgres user=postgres"
        let began = Instant.now()
        let bench = try Bench(hosts, settings: { $0.connectTimeout = .seconds(2) }, [echo])
        #expect(await bench.load("echo", "a") == .text("a"))
        #expect(Instant.now() - began >= .seconds(1))
        #expect(bench.database.status.connectionsLost == 0)
        withExtendedLifetime(silent) {}
        await bench.stop()
    }

    @Test func `the password of a connection string that is wrong is not told`() async throws {
        for url in ["postgres//user:sesame@host/db", "postgresql://user:ses/ame@host/db", "password=sesame port=x"] {
            // A getter belongs to one database.
            let bench = try Bench(url, [QueryGetter(name: "echo", sql: "select $1::text", returns: .value)])
            #expect(await bench.load("echo", "a") == .error(.unavailable, "echo: the database cannot be reached"))
            #expect(bench.database.status.lastError?.contains("ses") == false)
            await bench.stop()
        }
    }
}

/// Lets clients connect and never says a word: a host that hangs.
private final class SilentServer {
    let folder = "/tmp/pgs-silent-\(UUID().uuidString.prefix(8))"
    private let descriptor: Int32

    init() throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = UInt16(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: "\(folder)/.s.PGSQL.5432".utf8) }
        let isListening = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
        try #require(isListening && listen(descriptor, 16) == 0)
    }

    deinit {
        close(descriptor)
        try? FileManager.default.removeItem(atPath: folder)
    }
}

/// Set once, from any thread.
final class Flag: Sendable {
    private let value = Groundwork.Mutex(false)
    var isSet: Bool { value.withLock { $0 } }
    func set() { value.withLock { $0 = true } }
}
