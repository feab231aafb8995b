import Groundwork
import Postgres
import PrivateDatabase
import TestSupport
import Testing

@testable import Invalidation

/// What a real server's log tells.
@Suite(.timeLimit(.minutes(10)))
struct LogicalSourceTests {
    @Test func `each kind of change tells its keys, old and new`() async throws {
        let bench = try await LogicalBench()
        try await bench.begin()
        try await bench.run("insert into account values (1, 'a'), (2, 'b')")
        #expect(try await bench.changes() == [rows([["1"], ["2"]])])
        try await bench.run("update account set mail = 'c' where id = 1")
        #expect(try await bench.changes() == [rows([["1"]])])
        try await bench.run("update account set id = 7 where id = 1")
        #expect(try await bench.changes() == [rows([["1"], ["7"]])])
        try await bench.run("delete from account where id = 2")
        #expect(try await bench.changes() == [rows([["2"]])])
        try await bench.run("truncate account")
        // Told by the stream, and found once more by the look at its file.
        #expect(await bench.beats { $0.changeCount > 1 })
        #expect(try await bench.changes() == [all(), all()])
        try await bench.run("begin; insert into account values (9); rollback")
        #expect(try await bench.changes() == [])
        try await bench.run(
            "begin; insert into account values (10); savepoint s; insert into account values (11); "
                + "rollback to s; insert into account values (12); commit")
        #expect(try await bench.changes() == [rows([["10"], ["12"]])])
        await bench.end()
    }

    @Test func `keys are written as the session of a load has them, whatever the writer and the role say`() async throws
    {
        let bench = try await LogicalBench(
            """
            create table account(id timestamptz, day date, raw bytea, f float8, primary key (id, day, raw, f));
            create publication pgsidecar for table account;
            do $$ begin execute format('alter database %I set datestyle = ''German''', current_database());
            execute format('alter database %I set timezone = ''Asia/Tokyo''', current_database());
            execute format('alter database %I set intervalstyle = ''iso_8601''', current_database());
            execute format('alter database %I set bytea_output = ''escape''', current_database());
            execute format('alter database %I set extra_float_digits = 0', current_database()); end $$;
            """, key: ["id", "day", "raw", "f"])
        try await bench.begin()
        try await bench.run(
            "insert into account values ('2026-01-02 03:04:05+00', '2026-01-02', '\\x00ff', 0.1::float8 + 0.2)"
        )
        let key = ["2026-01-02 03:04:05+00", "2026-01-02", "\\x00ff", "0.30000000000000004"]
        #expect(try await bench.changes() == [rows([key], ["id", "day", "raw", "f"])])
        await bench.end()
    }

    @Test func `keys are told in the form that lookups bring them to`() async throws {
        let bench = try await LogicalBench(
            """
            create domain price as numeric; create type mood as enum ('glad');
            create table account(
                id price, code char(8), day timestamptz, f float8, raw bytea, m mood, u uuid, primary key (id, code, day, f, raw, m, u));
            create publication pgsidecar for table account;
            """, key: ["id", "code", "day", "f", "raw", "m", "u"])
        try await bench.begin()
        try await bench.run(
            "insert into account values (1.50, 'ab', '2026-01-02 03:04:05.60+02', '-0', 'x', 'glad', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11')"
        )
        let key = [
            "1.5", "ab", "2026-01-02 01:04:05.6+00", "0", "\\x78", "glad", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        ]
        #expect(try await bench.changes() == [rows([key], ["id", "code", "day", "f", "raw", "m", "u"])])
        // Of json no form is known.
        try await bench.run("alter table account add column more text[] default '{}'")
        #expect(await bench.beats { $0.changeCount > 0 })
        await bench.end()
    }

    @Test func `a full identity and a unique index tell keys beside the primary one`() async throws {
        for identity in ["full", "using index account_mail"] {
            let bench = try await LogicalBench(
                """
                create table account(id int primary key, mail text not null, note text);
                create unique index account_mail on account(mail);
                alter table account replica identity \(identity);
                create publication pgsidecar for table account;
                """, key: ["mail"])
            try await bench.begin()
            #expect(bench.recorder.refused == [:])
            try await bench.run(
                "insert into account values (1, 'a'); update account set note = 'n'; update account set mail = 'b'")
            #expect(try await bench.changes() == [rows([["a"], ["a"], ["a"], ["b"]], ["mail"])])
            try await bench.run("delete from account")
            #expect(try await bench.changes() == [rows([["b"]], ["mail"])])
            await bench.end()
        }
    }

    @Test func `long keys that an update leaves alone are told`() async throws {
        for identity in ["full", "using index account_mail"] {
            let bench = try await LogicalBench(
                """
                create table account(id int primary key, mail text not null, note text);
                alter table account alter mail set storage external;
                create unique index account_mail on account(mail);
                alter table account replica identity \(identity);
                create publication pgsidecar for table account;
                """, key: ["mail"])
            try await bench.begin()
            // Out of line, and short enough for an index.
            try await bench.run("insert into account values (1, repeat('x', 2600), repeat('y', 7000))")
            _ = try await bench.changes()
            try await bench.run("update account set note = 'n'")
            let changes = try await bench.changes()
            #expect(changes == [rows([[String(repeating: "x", count: 2600)]], ["mail"])], "\(identity)")
            await bench.end()
        }
    }

    @Test func `a partitioned table is known by its own name, and its rows may move`() async throws {
        let bench = try await LogicalBench(
            """
            create table account(id int, part int, primary key (id, part)) partition by list (part);
            create table account_1 partition of account for values in (1);
            create table account_2 partition of account for values in (2);
            create publication pgsidecar for table account with (publish_via_partition_root = true);
            """)
        try await bench.begin()
        #expect(bench.recorder.refused == [:])
        try await bench.run("insert into account values (1, 1), (2, 2); update account set part = 2 where id = 1")
        let changes = try await bench.changes()
        #expect(changes == [rows([["1"], ["2"], ["1"], ["1"]])])
        // PostgreSQL tells nothing of either when changes are told by the root.
        for change in ["truncate account_2", "alter table account detach partition account_2"] {
            try await bench.run(change)
            #expect(await bench.beats { $0.changeCount > 0 }, "\(change)")
            #expect(bench.recorder.takeChanges().allSatisfy { $0 == all() })
        }
        await bench.end()
    }

    @Test func `who has a partition locked keeps nobody from being told, nor from looking`() async throws {
        let bench = try await LogicalBench(
            """
            create table account(id int primary key) partition by range (id);
            create table account_1 partition of account for values from (1) to (10);
            create table other(id int primary key);
            create publication pgsidecar for table account, other with (publish_via_partition_root = true);
            """, rules: ["account": [("account", ["id"])], "other": [("other", ["id"])]])
        let name = bench.database
        try await bench.run("begin; lock table only account_1 in access exclusive mode; prepare transaction '\(name)'")
        let question = PublicationSQL.check("pgsidecar", [TableName(schema: "public", name: "account")])
        #expect(try await bench.ask("set lock_timeout = '1ms'; \(question)").contains("publication"))
        try await bench.run("rollback prepared '\(name)'")
        try await bench.begin()
        try await bench.run("begin; lock table only account_1 in access exclusive mode; prepare transaction '\(name)'")
        try await bench.run("insert into other values (1)")
        #expect(try await bench.changes() == [rows([["1"]], of: "other")])
        try await bench.run("rollback prepared '\(name)'")
        await bench.end()
    }

    @Test func `a partition that is about to be detached makes its table stale as a whole`() async throws {
        let bench = try await LogicalBench(
            """
            create table account(id int primary key) partition by range (id);
            create table account_1 partition of account for values from (1) to (10);
            create publication pgsidecar for table account with (publish_via_partition_root = true);
            insert into account values (1);
            """)
        try await bench.begin()
        // Whoever still reads the table keeps the detaching from its end; cancelled there, it is left half done.
        let name = bench.database
        try await bench.run("begin; select from account; prepare transaction '\(name)'")
        let session = try SQLSession(url: Secret(bench.url), name: "test")
        try session.run("set statement_timeout = '1s'")
        _ = try? session.run("alter table account detach partition account_1 concurrently")
        try session.run("reset statement_timeout")
        #expect(try await bench.ask("select count(*) from account") == "0")
        #expect(await bench.beats { $0.changeCount > 0 })
        #expect(bench.recorder.takeChanges().allSatisfy { $0 == all() })
        let rule = TableRule(table: TableName(schema: "public", name: "account"), key: ["id"])
        let standing = try TriggerStanding(of: rule, channel: "pgsidecar", in: session)
        #expect(!standing.catalog.relations.contains { $0.name.name == "account_1" })
        try await bench.run("rollback prepared '\(name)'")
        await bench.end()
    }

    @Test func `tables made anew, changed and rewritten are stale as a whole before a row of theirs changes`()
        async throws
    {
        let bench = try await LogicalBench()
        try await bench.begin()
        try await bench.run("insert into account values (1)")
        _ = try await bench.changes()
        for change in [
            "alter table account add column more int default 7", "alter table account drop column more",
            "alter table account alter column note type text using 'rewritten'",
        ] {
            try await bench.run(change)
            #expect(await bench.beats { $0.changeCount > 0 }, "\(change)")
            #expect(bench.recorder.takeChanges().allSatisfy { $0 == all() })
        }
        try await bench.run(
            "begin; insert into account values (2); alter table account add column x int; insert into account values (3); commit"
        )
        #expect(try await bench.changes().contains(all()))
        #expect(bench.recorder.losses == [])
        await bench.end()
    }

    @Test func `a transaction beyond the bound makes its table stale as a whole`() async throws {
        let bench = try await LogicalBench(
            "create table account(id text primary key, mail text); create publication pgsidecar for table account")
        try await bench.begin()
        try await bench.run(
            "insert into account select 5; insert into account select lpad(i::text, 1000, '0') from generate_series(1, 10000) i"
        )
        #expect(try await bench.changes() == [all()])
        try await bench.run("update account set mail = 'm' where id = '5'")
        #expect(try await bench.changes() == [rows([["5"]])])
        await bench.end()
    }

    @Test func `a prepared transaction is told when it commits`() async throws {
        let bench = try await LogicalBench()
        try await bench.begin()
        let name = bench.database
        try await bench.run("begin; insert into account values (1); prepare transaction '\(name)'")
        try await bench.run("insert into account values (2)")
        #expect(try await bench.changes() == [rows([["2"]])])
        try await bench.run("commit prepared '\(name)'")
        #expect(try await bench.changes() == [rows([["1"]])])
        await bench.end()
    }

    @Test func `other databases' writes move the slot on, which goes with the connection`() async throws {
        let bench = try await LogicalBench()
        try await bench.begin()
        let slots =
            "select confirmed_flush_lsn from pg_replication_slots where database = '\(bench.database)' and temporary"
        let before = try #require(LogPosition(try await bench.ask(slots)))
        _ = try await bench.server.psql(
            "create table if not exists other(t text); insert into other values (repeat('x', 99))")
        #expect(
            try await eventually {
                bench.onLoop { $0.beat() }
                return try #require(LogPosition(try await bench.ask(slots))) > before
            })
        await bench.end()
        #expect(try await eventually { try await bench.ask(slots) == "" })
    }

    @Test func `what the application says to the log, and tables that nobody depends on, pass`() async throws {
        let bench = try await LogicalBench(
            """
            create table account(id int primary key); create table other(id int primary key);
            create publication pgsidecar for all tables;
            """)
        try await bench.begin()
        try await bench.run("insert into other values (1); select pg_logical_emit_message(true, 'p', 'c')")
        try await bench.run(
            "create type mood as enum ('a'); create table third(id mood primary key); insert into third values ('a')")
        #expect(try await bench.changes() == [])
        await bench.end()
    }

    @Test func `a hundred writers are told of, and each key comes`() async throws {
        let bench = try await LogicalBench()
        try await bench.begin()
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for writer in 0..<10 {
                tasks.addTask {
                    let inserts = (0..<50).map { "insert into account values (\(writer * 1000 + $0)); commit;" }
                    try await bench.run(
                        inserts.joined(separator: "begin;").replacing("commit;begin;", with: "commit; begin; "))
                }
            }
            try await tasks.waitForAll()
        }
        var keys: Set<[UInt8]> = []
        for change in try await bench.changes() {
            guard case .rows(let rows) = change.what else { continue }
            for row in rows.arrays { keys.insert(try #require(row[0])) }
        }
        #expect(keys.count == 500)
        await bench.end()
    }
}
