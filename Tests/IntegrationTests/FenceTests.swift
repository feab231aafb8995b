import Foundation
import PrivateDatabase
import TestSupport
import Testing

/// Loads under way in PostgreSQL while all of their group becomes stale, or while nobody tells of changes: what they bring goes to
/// those who asked before, and is not kept.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct FenceTests {
    private static let sources = ["notify", "logical"]

    /// A database in which the source has what it needs, and a role of the stream's own, so that it can be kept out.
    private func database(for source: String) async throws -> TestDatabase {
        let database = try await TestDatabase.fresh(["wal_level": "logical", "synchronous_commit": "on"])
        try await database.run(
            """
            create role streamer login replication;
            create table other(id int primary key);
            create table unlisted(v int);
            insert into unlisted values (0);
            """)
        try await tellChanges(by: settings(database, source), "--database-url", database.url)
        return database
    }

    /// A change of the table `other` makes all of the group stale; of what changes in `unlisted` nothing tells.
    private func settings(_ database: TestDatabase, _ source: String) -> String {
        let stream = database.url.replacing("user=postgres", with: "user=streamer")
        return """
            database: { url: "\(database.url)", connections: 4, connect_timeout: 2s }
            threads: 2
            invalidation: { source: \(source), heartbeat: 30s, url: "\(stream)" }
            groups:
              word:
                sql: "\(TestDatabase.heldWord("text || ' ' || v").replacing("from word", with: "from word, unlisted"))"
                returns: value
                ttl: 1h
                load_timeout: 5m
                invalidate_on: [{ table: public.word, key: [id] }, { table: public.other }]
            """
    }

    private func state(of sidecar: RunningSidecar, is state: String) async -> Bool {
        await eventually { (try? sidecar.info("invalidation_state")) == state }
    }

    private func flushes(_ sidecar: RunningSidecar) throws -> Int {
        Int(try sidecar.info("invalidation_flushes")) ?? 0
    }

    private func cutStream(of database: TestDatabase) async throws {
        try await database.run(
            """
            alter role streamer nologin;
            select pg_terminate_backend(pid) from pg_stat_activity where usename = 'streamer'
            """)
    }

    @Test(arguments: sources)
    func `a load that was held while its whole group was flushed is not what later readers get`(source: String)
        async throws
    {
        let database = try await database(for: source)
        try await withSidecar(settings(database, source)) { sidecar in
            #expect(await state(of: sidecar, is: "live"))
            let (first, later) = (try sidecar.client(), try sidecar.client())
            for (round, flush) in ["insert into other values (1)", "PGS.FLUSH", "FLUSHALL"].enumerated() {
                let hold = try await database.hold(7)
                try first.send("GET", "word:7")
                #expect(try await hold.isAwaited())
                let before = try flushes(sidecar)
                switch flush {
                case "PGS.FLUSH": #expect(try later.ask("PGS.FLUSH", "word").isError == false)
                case "FLUSHALL": #expect(try later.ask("FLUSHALL").isError == false)
                default:
                    try await database.run(flush)
                    #expect(try await eventually { try flushes(sidecar) > before })
                }
                try await database.run("update unlisted set v = \(round + 1)")
                try later.send("GET", "word:7")
                #expect(await sidecar.counts("loads", 2 * round + 2, of: "word"))
                try await hold.release()
                #expect(try first.receive() == .bulk("word 7 \(round)"))
                #expect(try later.receive() == .bulk("word 7 \(round + 1)"))
                #expect(try first.ask("GET", "word:7") == .bulk("word 7 \(round + 1)"))
                #expect(try sidecar.statistics("word")["loads"] == 2 * round + 2)
                #expect(try later.ask("DEL", "word:7") == .integer(1))
            }
        }
        await database.server.remove()
    }

    @Test(arguments: sources)
    func `a load that was held while the stream was lost is not kept, however it began`(source: String) async throws {
        let database = try await database(for: source)
        try await withSidecar(settings(database, source)) { sidecar in
            #expect(await state(of: sidecar, is: "live"))
            let (before, meanwhile) = (try sidecar.client(), try sidecar.client())
            // One load begins while changes are heard of, the other while they are not; both end when they are again.
            let holds = try await (SessionHold(7, in: database), SessionHold(8, in: database))
            try before.send("GET", "word:7")
            #expect(try await holds.0.isAwaited())
            try await cutStream(of: database)
            #expect(await state(of: sidecar, is: "suspect"))
            try meanwhile.send("GET", "word:8")
            #expect(try await holds.1.isAwaited())
            try await database.run("update word set text = 'unheard' where id in (7, 8)")
            try await database.run("alter role streamer login")
            #expect(await state(of: sidecar, is: "live"))
            try await holds.0.release()
            try await holds.1.release()
            #expect(try before.receive() == .bulk("word 7 0"))
            #expect(try meanwhile.receive() == .bulk("word 8 0"))
            for key in ["word:7", "word:8"] { #expect(try before.ask("GET", key) == .bulk("unheard 0")) }
            #expect(try sidecar.statistics("word")["entries"] == 2)
        }
        await database.server.remove()
    }
}

/// A number that queries wait for, held by a session without a transaction of its own: a replication slot waits for those.
private struct SessionHold {
    private let number: Int
    private let database: TestDatabase
    private let session: Task<Void, any Error>

    init(_ number: Int, in database: TestDatabase) async throws {
        self.number = number
        self.database = database
        session = Task { try await database.run("select pg_advisory_lock(\(number)), pg_sleep(600)") }
        guard try await eventually({ try await Self.count(number, isGranted: true, in: database) == 1 }) else {
            throw Failure("no lock on \(number)")
        }
    }

    /// Waits until a query waits for the number.
    func isAwaited() async throws -> Bool {
        try await eventually { try await Self.count(number, isGranted: false, in: database) == 1 }
    }

    /// Lets it go.
    func release() async throws {
        try await database.run(
            "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and objid = \(number) and granted"
        )
        _ = await session.result
    }

    private static func count(_ number: Int, isGranted: Bool, in database: TestDatabase) async throws -> Int? {
        let sql = """
            select count(*) from pg_locks
            where locktype = 'advisory' and objid = \(number) and granted = \(isGranted)
            """
        return Int(try await database.run(sql).trimmingCharacters(in: .whitespacesAndNewlines))
    }
}
