import EventLoop
import Foundation
import Groundwork
import PrivateDatabase
import TestSupport
import Testing

@testable import Postgres

/// A connection that listens, and what it told.
private final class Listener: ListeningConnectionOwner, @unchecked Sendable {
    // Unchecked: `connection` is touched on the loop's thread only, `told` is synchronised.
    let loop: EventLoop
    let told = Log()
    private var connection: ListeningConnection?

    /// Connects and waits for the attempt's end.
    init(_ url: String, loads: String? = nil, channel: String) async throws {
        loop = try EventLoop()
        loop.start()
        var settings = DatabaseSettings()
        settings.url = Secret(url)
        // It tries once.
        settings.connectTimeout = .seconds(100)
        var loadSettings = settings
        loadSettings.url = Secret(loads ?? url)
        let isStarted = ListeningConnection.connect(
            settings, loads: loadSettings, channel: channel, on: loop, owner: self
        ) {
            [self] result in
            switch result {
            case .success(let connection):
                self.connection = connection
                told.append("open")
            case .failure(let error): told.append("refused: \(error)")
            }
        }
        #expect(isStarted)
        #expect(await eventually { !self.told.all.isEmpty })
    }

    func connectionIsProven() { told.append("proven") }
    func connectionIsAlive() {}
    func connectionHeard(_ payload: RawSpan) {
        told.append(payload.withUnsafeBytes { String(decoding: $0, as: UTF8.self) })
    }
    func connectionEchoed(_ position: LogPosition) { told.append("echo \(position)") }
    func connectionLost(_ reason: String) { told.append("lost: \(reason)") }

    func onLoop(_ body: @escaping @Sendable (ListeningConnection) -> Void) {
        loop.submit { [self] in
            if let connection { body(connection) }
        }
    }

    func tells(_ text: String) async -> Bool { await tells { $0 == text } }

    func tells(_ isIt: (String) -> Bool) async -> Bool {
        await eventually { self.told.all.contains(where: isIt) }
    }

    func stop() async {
        onLoop { $0.close() }
        await loop.end()
    }
}

@Suite(.timeLimit(.minutes(10)))
struct ListeningTests {
    private let channel = "Channel \"\(UUID().uuidString.prefix(8))\""
    private var quoted: String { "\"" + channel.replacing("\"", with: "\"\"") + "\"" }

    @Test func `what others notify arrives in order, and nothing of other channels does`() async throws {
        let server = try await Server.shared()
        let listener = try await Listener(server.url, channel: channel)
        #expect(await listener.tells("proven"))
        let sql = (0..<200).map { "notify \(quoted), '\($0)'; notify other, 'no';" }.joined()
        _ = try await server.psql(sql + "notify \(quoted)")
        #expect(await listener.tells("199"))
        #expect(await listener.tells(""))
        #expect(listener.told.all == ["open", "proven"] + (0..<200).map(String.init) + [""])
        await listener.stop()
    }

    @Test
    func `what it says to itself comes back behind all that was committed before, with a position that has seen it`()
        async throws
    {
        let server = try await Server.shared()
        let listener = try await Listener(server.url, channel: channel)
        #expect(await listener.tells("proven"))
        for round in 1...20 {
            _ = try await server.psql("notify \(quoted), 'change \(round)'")
            let committed = try #require(LogPosition(try await server.psql("select pg_current_wal_insert_lsn()")))
            let before = listener.told.all.count { $0.hasPrefix("echo") }
            listener.onLoop { $0.sendEcho() }
            #expect(
                await eventually { listener.told.all.count { $0.hasPrefix("echo") } > before })
            let told = listener.told.all
            let echo = try #require(told.lastIndex { $0.hasPrefix("echo") })
            #expect(told.firstIndex(of: "change \(round)").map { $0 < echo } == true)
            #expect(try #require(LogPosition(String(told[echo].dropFirst(5)))) >= committed)
        }
        await listener.stop()
    }

    @Test func `two messages to itself are never under way, and each asked for after the last one's end comes back`()
        async throws
    {
        let listener = try await Listener(try await Server.shared().url, channel: channel)
        #expect(await listener.tells("proven"))
        listener.onLoop { connection in
            for _ in 0..<5 { connection.sendEcho() }
            #expect(connection.awaitsEcho)
        }
        #expect(await listener.tells { $0.hasPrefix("echo") })
        listener.onLoop { connection in
            #expect(!connection.awaitsEcho)
            connection.sendEcho()
        }
        #expect(await eventually { listener.told.all.count { $0.hasPrefix("echo") } == 2 })
        await listener.stop()
    }

    @Test func `nobody else can say what it says to itself, nor prove it`() async throws {
        let server = try await Server.shared()
        let listener = try await Listener(server.url, channel: channel)
        #expect(await listener.tells("proven"))
        let own = Groundwork.Mutex("")
        listener.onLoop { connection in own.withLock { $0 = connection.ownName } }
        #expect(await eventually { !own.withLock { $0 }.isEmpty })
        let name = own.withLock { $0 }
        // Held up at its commit by another that notifies: then the forged one is first.
        listener.onLoop { $0.sendEcho() }
        _ = try await server.psql((1...3).map { "notify \(name), '\($0)';" }.joined() + "notify \(quoted), 'end'")
        #expect(await listener.tells("end"))
        #expect(await listener.tells { $0.hasPrefix("echo") })
        #expect(listener.told.all.count { $0.hasPrefix("echo") } == 1)
        #expect(listener.told.all.count { $0 == "proven" } == 1)
        await listener.stop()
    }

    @Test func `a session that is ended is told as lost`() async throws {
        let server = try await Server.shared()
        let listener = try await Listener("\(server.url)&application_name=ended", channel: channel)
        #expect(await listener.tells("proven"))
        #expect(
            try await server.psql(
                "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = 'ended listen'")
                == "1")
        #expect(await listener.tells { $0.hasPrefix("lost: ") })
        await listener.stop()
    }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: PgBouncer.program), "PgBouncer is not installed"))
    func `behind a pooler that swallows notifications it is never proven, though its own messages come back`()
        async throws
    {
        // Of more than one the next message might take another than the last.
        let pooler = try await PgBouncer(before: Server.shared(), sessions: 1)
        let server = try await Server.shared()
        let listener = try await Listener(pooler.url, channel: channel)
        listener.onLoop { $0.sendEcho() }
        #expect(await listener.tells { $0.hasPrefix("echo") }, "\(listener.told.all)")
        _ = try await server.psql("notify \(quoted), 'change'")
        listener.onLoop { $0.sendEcho() }
        #expect(await eventually { listener.told.all.count { $0.hasPrefix("echo") } == 2 })
        #expect(!listener.told.all.contains("proven"))
        await listener.stop()
        await pooler.stop()
    }

    @Test func `a connection to another database than loads go to is never proven`() async throws {
        let server = try await Server.shared()
        _ = try await server.psql("drop database if exists elsewhere")
        _ = try await server.psql("create database elsewhere")
        let listener = try await Listener("\(server.url)&dbname=elsewhere", loads: server.url, channel: channel)
        // Behind its own messages all would have come that was said before.
        for count in 1...2 {
            listener.onLoop { $0.sendEcho() }
            #expect(
                await eventually { listener.told.all.count { $0.hasPrefix("echo") } == count })
        }
        #expect(!listener.told.all.contains("proven"))
        await listener.stop()
    }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: PgBouncer.program), "PgBouncer is not installed"))
    func `a pooler's sessions have neither settings nor the channel of one that was never proven`() async throws {
        let server = try await Server.shared()
        let pooler = try await PgBouncer(before: server, sessions: 1)
        let listener = try await Listener(pooler.url, channel: channel)
        listener.onLoop { $0.sendEcho() }
        #expect(await listener.tells { $0.hasPrefix("echo") })
        for _ in 0..<6 {
            let state = try await pooler.psql(
                """
                select count(*), (select count(*) from pg_listening_channels() name where name not like 'pgsidecar_own_%')
                from pg_settings
                where source = 'session' and name in ('synchronous_commit', 'lock_timeout', 'statement_timeout')
                """)
            #expect(state == "0|0")
        }
        await listener.stop()
        await pooler.stop()
    }

    @Test func `while a commit that notifies hangs, nothing of attempts to be heard is left on the server`()
        async throws
    {
        // A standby that is not there: what commits waits for it, with the lock that orders notifications.
        let server = try await Server.fresh(["synchronous_standby_names": "nobody"])
        let url = "\(server.url)&options=-c%20synchronous_commit%3Don"
        let early = try await Listener(url, channel: channel)
        #expect(await early.tells("proven"))
        early.onLoop { $0.sendEcho() }
        #expect(await early.tells { $0.hasPrefix("echo") })
        await early.stop()
        let writer = Task { try? await server.psql("set synchronous_commit = on; create table t(); notify \(quoted)") }
        #expect(
            try await eventually {
                try await server.psql("select count(*) from pg_stat_activity where wait_event = 'SyncRep'") == "1"
            })
        let listener = try await Listener(url, channel: channel)
        #expect(listener.told.all.first?.contains("lock timeout") == true, "\(listener.told.all)")
        #expect(
            try await eventually {
                try await server.psql(
                    "select count(*) from pg_stat_activity where application_name = 'pgsidecar listen'") == "0"
            })
        await listener.stop()
        await server.kill()
        _ = await writer.value
        await server.remove()
    }

    @Test func `a standby is refused with what to do`() async throws {
        let server = try await Server.fresh()
        await server.stop()
        try Data().write(to: URL(fileURLWithPath: "\(server.folder)/data/standby.signal"))
        try await server.start()
        let listener = try await Listener(server.url, channel: channel)
        #expect(listener.told.all.first?.contains("the server is a standby") == true, "\(listener.told.all)")
        #expect(listener.told.all.first?.contains("invalidation.url") == true)
        await listener.stop()
        let primary = try await Server.shared()
        let loading = try await Listener(primary.url, loads: server.url, channel: channel)
        #expect(loading.told.all.first?.contains("loads go to a standby") == true, "\(loading.told.all)")
        await loading.stop()
        await server.remove()
    }
}

@Suite(.timeLimit(.minutes(10)))
struct ConnectionPurposeTests {
    @Test(arguments: ConnectionPurpose.allCases)
    func `a connection says what it is for, behind the name that the user chose`(_ purpose: ConnectionPurpose)
        async throws
    {
        let url = try await Server.shared().url
        let long = String(repeating: "é", count: 40)
        for (given, name) in [
            ("", "pgsidecar \(purpose.rawValue)"), ("&application_name=", "pgsidecar \(purpose.rawValue)"),
            ("&application_name=billing", "billing \(purpose.rawValue)"), ("&application_name=\(long)", nil),
        ] {
            var settings = DatabaseSettings()
            settings.url = Secret(url + given)
            let link = try PQConnection.connect(settings, for: purpose)
            let said = try link.ask("select current_setting('application_name')", within: .seconds(25))
            if let name {
                #expect(said == name)
            } else {
                #expect(said.hasSuffix(" \(purpose.rawValue)"))
            }
        }
    }
}
