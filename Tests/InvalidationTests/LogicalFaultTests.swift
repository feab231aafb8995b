import CacheCore
import EventLoop
import Foundation
import Groundwork
import Logging
import Postgres
import PrivateDatabase
import TestSupport
import Testing

@testable import Invalidation

/// What a stream can't have, what it loses, and what it holds back.
@Suite(.timeLimit(.minutes(10)))
struct LogicalFaultTests {
    // MARK: Refused groups

    @Test func `a group whose key old rows don't tell is refused alone, with what mends it`() async throws {
        let bench = try await LogicalBench(
            """
            create table account(id int primary key, mail text);
            create table word(id int primary key, text text);
            create publication pgsidecar for table account, word;
            """, rules: ["mails": [("account", ["mail"])], "words": [("word", ["id"])]])
        try await bench.begin()
        #expect(bench.recorder.refused.keys.sorted() == ["mails"])
        let why = try #require(bench.recorder.refused["mails"])
        #expect(why.contains(#"ALTER TABLE "public"."account" REPLICA IDENTITY FULL"#))
        try await bench.run("alter table account replica identity full")
        #expect(await bench.beats { $0.losses == ["the publication or its tables were changed"] })
        bench.recorder.forget()
        try await bench.begin()
        #expect(bench.recorder.refused == [:])
        await bench.end()
    }

    @Test(arguments: [
        ("create table account(id int); create publication pgsidecar for table account", "REPLICA IDENTITY FULL"),
        (
            "create table account(id int primary key deferrable); create publication pgsidecar for table account",
            "REPLICA IDENTITY FULL"
        ),
        (
            "create table account(id int primary key); alter table account replica identity nothing; create publication pgsidecar for table account",
            "REPLICA IDENTITY FULL"
        ),
        ("create table account(id int primary key); create publication pgsidecar", "ADD TABLE \"public\".\"account\""),
        ("create publication pgsidecar", "does not exist"),
        (
            "create table account(key int primary key); create publication pgsidecar for table account",
            "has no column id"
        ),
        (
            "create table account(id int primary key); create publication pgsidecar for table account with (publish = 'insert')",
            "SET (publish = 'insert, update, delete, truncate')"
        ),
        (
            "create table account(id int primary key); create publication pgsidecar for table account where (id > 5)",
            "under a condition"
        ),
        (
            "create table account(id int primary key, x int); create table base(); create publication pgsidecar for table account; create table kid() inherits (account)",
            "public.kid"
        ),
        (
            "create table account(id int primary key) partition by list (id); create table one partition of account for values in (1); create publication pgsidecar for table account",
            "publish_via_partition_root"
        ),
        (
            "create table root(id int primary key) partition by list (id); create table account partition of root for values in (1); create publication pgsidecar for table root with (publish_via_partition_root)",
            "public.root"
        ),
        (
            "create table account(id int, part int) partition by list (part); create table one partition of account for values in (1); alter table account replica identity full; create publication pgsidecar for table account with (publish_via_partition_root)",
            "REPLICA IDENTITY FULL"
        ),
        ("create view account as select 1 as id; create publication pgsidecar", "is no table"),
        (
            "create table account(id int primary key, x int); alter table account replica identity full; create publication pgsidecar for table account (x)",
            "is published without its column id"
        ),
    ])
    func `what a publication does not tell is found at the start`(_ setUp: String, _ expected: String) async throws {
        let bench = try await LogicalBench(setUp)
        try await bench.begin()
        #expect(bench.recorder.refused["account"]?.contains(expected) ?? false, "\(bench.recorder.refused)")
        await bench.end()
    }

    @Test
    func `the SQL of a publication makes what the check accepts, and refuses what would break its tables' writers`()
        async throws
    {
        let tables = [TableName(schema: "public", name: "account"), TableName(schema: "public", name: "We\"ird.'\\")]
        let bench = try await LogicalBench(
            """
            create table account(id int primary key); create table "We""ird.'\\"(id int);
            """)
        await #expect(throws: (any Error).self) { try await bench.run(PublicationSQL.create("pgsidecar", tables)) }
        #expect(try await bench.ask("select count(*) from pg_publication") == "0")
        try await bench.run(#"alter table "We""ird.'\" replica identity full"#)
        try await bench.run(PublicationSQL.create("pgsidecar", tables))
        try await bench.begin()
        #expect(bench.recorder.refused == [:])
        await bench.end()
        try await bench.run(PublicationSQL.drop("pgsidecar"))
        #expect(try await bench.ask("select count(*) from pg_publication") == "0")
    }

    // MARK: Refused streams

    @Test func `a stream without a publication is told how to make one`() async throws {
        let bench = try await LogicalBench("create table account(id int primary key)")
        bench.onLoop { $0.connect() }
        #expect(await bench.loss().contains("pgsidecar sql install"))
        await bench.end()
    }

    @Test func `a role that may not replicate is told what it needs`() async throws {
        let bench = try await LogicalBench(
            LogicalBench.account
                + "do $$ begin create role mere login; exception when duplicate_object then null; end $$;", role: "mere"
        )
        bench.onLoop { $0.connect() }
        #expect(await bench.loss().contains("ALTER ROLE"))
        await bench.end()
    }

    @Test func `a server that logs too little, or has no slot or WAL sender left, says so with the setting`()
        async throws
    {
        for (settings, expected) in [
            (["wal_level": "replica"], "set wal_level = logical"),
            (["max_replication_slots": "0"], "max_replication_slots"),
            (["max_wal_senders": "0"], "max_wal_senders"),
        ] {
            let server = try await LogicalServer.start(settings)
            let bench = try await LogicalBench(on: server)
            bench.onLoop { $0.connect() }
            let loss = await bench.loss()
            #expect(loss.contains(expected), "\(loss)")
            await bench.end()
            await server.remove()
        }
    }

    @Test func `while a stream can't be had the log tells of each new reason`() async throws {
        let server = try await LogicalServer.shared.value
        let database = "d" + UUID().uuidString.filter { $0 != "-" }.lowercased()
        _ = try await server.psql("create database \(database)")
        var (settings, loads) = (InvalidationSettings(), DatabaseSettings())
        settings.source = .logical
        loads.url = Secret("\(server.url)&dbname=\(database)")
        let rule = TableRule(table: TableName(schema: "public", name: "account"), key: ["id"])
        let map = InvalidationMap([InvalidatedGroup(try Group("account", getter: NothingGetter()), rules: [rule])])
        let log = LogRecorder(from: .warning)
        let stream = ChangeStream(settings, database: loads, map: map, loop: try EventLoop(), logger: log.logger)
        #expect(stream.start())
        await stream.firstAttempt()
        #expect(stream.status.lastLoss?.contains("there is no publication") == true)
        _ = try await server.psql("alter database \(database) allow_connections false")
        #expect(await eventually { log.messages.count > 1 })
        #expect(log.messages.first?.hasPrefix("warning: nobody tells of changes") == true)
        #expect(log.messages.dropFirst().first == "warning: changes in the database still can't be heard of")
        await stream.stop()
    }

    // MARK: Losses

    @Test func `losing either connection loses the stream, once, and it can be had again`() async throws {
        let bench = try await LogicalBench()
        for name in ["pgsidecar replication", "pgsidecar gate"] {
            try await bench.begin()
            let killed = try await bench.ask(
                "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = '\(name)' and datname = '\(bench.database)'"
            )
            #expect(killed == "1")
            #expect(await bench.loss() != "")
            #expect(bench.recorder.losses.count == 1)
            bench.recorder.forget()
        }
        try await bench.begin()
        try await bench.run("insert into account values (1)")
        #expect(try await bench.changes() == [rows([["1"]])])
        await bench.end()
    }

    @Test func `a gate that gets no answer loses the stream`() async throws {
        let bench = try await LogicalBench()
        try await bench.begin()
        let gate = try await bench.ask(
            "select pid from pg_stat_activity where application_name = 'pgsidecar gate' and datname = '\(bench.database)'"
        )
        let process = try #require(pid_t(gate))
        kill(process, SIGSTOP)
        defer { kill(process, SIGCONT) }
        try await bench.run("insert into account values (1)")
        #expect(await bench.loss().contains("did not answer"))
        #expect(bench.recorder.changeCount == 0)
        await bench.end()
    }

    @Test(arguments: [
        "alter publication pgsidecar drop table account; CHANGE; alter publication pgsidecar add table account",
        "alter publication pgsidecar set (publish = 'insert'); CHANGE; "
            + "alter publication pgsidecar set (publish = 'insert, update, delete, truncate')",
        "drop publication pgsidecar; CHANGE; create publication pgsidecar for table account",
    ])
    func `a publication that left something out between two looks loses the stream, as changes were told to nobody`(
        _ meanwhile: String
    ) async throws {
        let bench = try await LogicalBench()
        try await bench.run("insert into account values (1, 'a')")
        try await bench.begin()
        try await bench.run(meanwhile.replacing("CHANGE", with: "update account set mail = 'b'"))
        #expect(await bench.beats { !$0.losses.isEmpty })
        bench.recorder.forget()
        try await bench.begin()
        // What becomes of other publications is no matter.
        try await bench.run("create publication other for table account; drop publication other")
        #expect(try await bench.changes() == [])
        await bench.end()
    }

    @Test func `a publication that is dropped loses the stream`() async throws {
        let bench = try await LogicalBench()
        try await bench.begin()
        try await bench.run("drop publication pgsidecar")
        #expect(await bench.beats { !$0.losses.isEmpty })
        // A look in whose middle it was dropped says that it was changed; the next attempt says what is missing.
        bench.recorder.forget()
        bench.onLoop { $0.connect() }
        #expect(await bench.loss().contains("pgsidecar sql install"), "\(bench.recorder.losses)")
        await bench.end()
    }

    @Test func `a server that restarts is streamed from again`() async throws {
        let server = try await LogicalServer.start()
        let bench = try await LogicalBench(on: server)
        try await bench.begin()
        await server.stop()
        #expect(await bench.loss() != "")
        try await server.start()
        bench.recorder.forget()
        try await bench.begin()
        try await bench.run("insert into account values (1)")
        #expect(try await bench.changes() == [rows([["1"]])])
        await bench.end()
        await server.remove()
    }

    @Test func `loads of another cluster than the stream's are refused`() async throws {
        let other = try await LogicalServer.start()
        let bench = try await LogicalBench(loads: other.url)
        _ = try await other.psql(
            "create table account(id int primary key); create publication pgsidecar for table account")
        bench.onLoop { $0.connect() }
        #expect(await bench.loss().contains("another database cluster"))
        await bench.end()
        await other.remove()
    }

    @Test func `a source whose owner goes while it connects harms nobody`() async throws {
        var bench: LogicalBench? = try await LogicalBench()
        let (server, database, loop) = try (#require(bench).server, #require(bench).database, #require(bench).loop)
        bench?.onLoop { $0.connect() }
        bench = nil
        // It goes on, step by step, and has nobody to tell.
        #expect(
            try await eventually {
                try await server.psql(
                    """
                    select count(*) from pg_stat_activity
                    where backend_type = 'walsender' and state = 'active' and datname = '\(database)'
                    """) == "1"
            })
        loop.stop()
    }

    // MARK: The gate

    @Test func `a commit that waits for a standby is told when it is released, and not before`() async throws {
        let server = try await LogicalServer.start(["synchronous_commit": "on"])
        let bench = try await LogicalBench(on: server)
        try await bench.begin()
        try await server.setStandby("nobody")
        let writing = Task { try await bench.run("insert into account values (1)") }
        #expect(try await eventually { try await bench.ask(Self.waiting) == "1" })
        // Its commit is in the log, and the stream says so: what is behind it in the log has come.
        try await bench.run("set synchronous_commit = local; insert into account values (2)")
        #expect(await eventually { bench.recorder.changeCount > 0 })
        #expect(bench.recorder.takeChanges() == [rows([["2"]])])
        let held = try #require(LogPosition(try await bench.ask("select pg_current_wal_insert_lsn()")))
        #expect(bench.recorder.told < held)
        #expect(try await bench.ask("select count(*) from account where id = 1") == "0")
        try await server.setStandby("")
        try await writing.value
        #expect(try await bench.changes() == [rows([["1"]])])
        await bench.end()
        await server.remove()
    }

    @Test func `a commit that waits while a stream begins makes everything stale when it is released`() async throws {
        let server = try await LogicalServer.start(["synchronous_commit": "on"])
        let bench = try await LogicalBench(on: server)
        // The slot waits for what runs at its beginning, and then for what ran at a second time, so it takes two: the first
        // holds its creation up, and the second commits between, unseen, to be in no stream and in no snapshot's list.
        try await bench.run("begin; insert into account values (1); prepare transaction '\(bench.database)'")
        bench.onLoop { $0.connect() }
        let slots = "select count(*) from pg_replication_slots where database = '\(bench.database)'"
        #expect(try await eventually { try await bench.ask(slots) == "1" })
        try await server.setStandby("nobody")
        let writing = Task { try await bench.run("insert into account values (2)") }
        #expect(try await eventually { try await bench.ask(Self.waiting) == "1" })
        try await bench.run(
            "set synchronous_commit = local; alter database \(bench.database) set synchronous_commit = local")
        try await bench.run("rollback prepared '\(bench.database)'")
        // The slot waits for the second, too, or begins behind its commit; then everything is stale when it is released.
        _ = await eventually(within: .seconds(3)) { bench.recorder.timesProven > 0 }
        let hasBegun = bench.recorder.timesProven > 0
        bench.recorder.forget()
        try await server.setStandby("")
        try await writing.value
        #expect(await eventually { bench.recorder.timesProven > 0 })
        if hasBegun { #expect(await bench.beats { $0.takeChanges().contains(all()) }) }
        await bench.end()
        await server.remove()
    }

    @Test func `the transactions that run are known by number, though no snapshot lists the newest`() async throws {
        let server = try await LogicalServer.start(["synchronous_commit": "on"])
        let bench = try await LogicalBench(on: server)
        try await server.setStandby("nobody")
        let writing = Task { try await bench.run("insert into account values (1)") }
        #expect(try await eventually { try await bench.ask(Self.waiting) == "1" })
        let snapshot = try #require(Snapshot(try await bench.ask("select pg_current_snapshot()")))
        let running = Set(try await bench.ask(LogicalSource.running).split(separator: "\n").compactMap { UInt32($0) })
        #expect(snapshot.running.isEmpty && running.count == 1)
        var gate = VisibilityGate<String>()
        #expect(gate.begin(at: .none, seeing: .snapshot(snapshot), running: running, everything: "all") == .ask)
        #expect(gate.answered(.snapshot(snapshot)) { _ in Issue.record("nothing is seen yet") } != .nothing)
        #expect(gate.pauseEnded() == .ask)
        try await server.setStandby("")
        try await writing.value
        var released: [String] = []
        let after = try #require(Snapshot(try await bench.ask("select pg_current_snapshot()")))
        #expect(gate.answered(.snapshot(after)) { released.append($0) } == .nothing)
        #expect(released == ["all"])
        await bench.end()
        await server.remove()
    }

    @Test func `a slot that waits for a transaction is given up with its source`() async throws {
        let bench = try await LogicalBench()
        try await bench.run("begin; insert into account values (1); prepare transaction '\(bench.database)'")
        bench.onLoop { $0.connect() }
        let slots = "select count(*) from pg_replication_slots where database = '\(bench.database)'"
        #expect(try await eventually { try await bench.ask(slots) == "1" })
        bench.onLoop { $0.close() }
        #expect(try await eventually { try await bench.ask(slots) == "0" })
        try await bench.run("rollback prepared '\(bench.database)'")
        try await bench.begin()
        await bench.end()
    }

    private static let waiting = "select count(*) from pg_stat_activity where wait_event = 'SyncRep'"
}

extension PrivatePostgres {
    /// Has commits wait for a standby of that name.
    func setStandby(_ name: String) async throws {
        _ = try await psql("alter system set synchronous_standby_names = '\(name)'")
        _ = try await psql("select pg_reload_conf()")
        #expect(
            try await eventually {
                try await self.psql("show synchronous_standby_names").hasPrefix(name.isEmpty ? "\n" : name)
                    || name.isEmpty
            })
    }
}
