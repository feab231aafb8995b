import Groundwork
import Testing

@testable import Invalidation
@testable import Postgres

@Suite struct TriggerStandingTests {
    @Test func `what was installed is as it should be, and is not installed again`() async throws {
        let bench = try await ChangeBench()
        try bench.run("create table t(id int, v int)")
        let before = try bench.standing("public.t", ["id"])
        #expect(before.differences.count == 5 && before.differences.allSatisfy { $0.hasSuffix(": missing") })
        let sql = try #require(before.installation)
        for _ in 0..<2 {
            try bench.transact(sql)
            let after = try bench.standing("public.t", ["id"])
            #expect(after.differences.isEmpty && after.installation == nil)
        }
    }

    @Test(arguments: [
        "alter table t disable trigger all", "alter table t enable trigger TRIGGER", "drop trigger TRIGGER on t",
        "alter function FUNCTION security definer", "alter function FUNCTION reset search_path",
        "alter function FUNCTION set work_mem = '64kB'",
        "create or replace function FUNCTION returns trigger language plpgsql as $$ begin return null; end $$",
        """
        drop trigger TRIGGER on t; create trigger TRIGGER after update on t referencing old table as old_rows new table as new_rows
        for each row execute function FUNCTION
        """,
        "create or replace trigger TRIGGER after update on t for each statement execute function FUNCTION",
        """
        drop trigger TRIGGER on t; create trigger TRIGGER after update on t referencing old table as old_rows new table as new_rows
        for each statement when (pg_trigger_depth() = 0) execute function FUNCTION; alter table t enable always trigger TRIGGER
        """,
        "drop table t; create table t(id int, v int)", "alter table t alter id type text",
    ])
    func `what differs is told and made right`(change: String) async throws {
        let bench = try await ChangeBench()
        try bench.run("create table t(id int, v int)")
        try bench.install("public.t", ["id"])
        let right = try bench.standing("public.t", ["id"])
        try bench.run(
            change.replacing("TRIGGER", with: right.triggers.triggerName(.update))
                .replacing("FUNCTION", with: right.triggers.function + "()"))
        let wrong = try bench.standing("public.t", ["id"])
        #expect(!wrong.differences.isEmpty && wrong.deafness != nil)
        try bench.install("public.t", ["id"])
        #expect(try bench.standing("public.t", ["id"]).differences.isEmpty)
        try bench.run("insert into t(id) values (1); update t set v = 1")
        #expect(try bench.keys() == ["1"])
    }

    @Test func `a function of another version that tells the same is heard`() async throws {
        let bench = try await ChangeBench()
        try bench.run("create table t(id int, v numeric)")
        try bench.install("public.t", ["id"])
        let triggers = try bench.standing("public.t", ["id"]).triggers
        try bench.run(triggers.createFunction.replacing("10001", with: "9001"))
        let standing = try bench.standing("public.t", ["id"])
        #expect(standing.deafness == nil && standing.differences.count == 1)
        // Not so one that has the keys of another type.
        try bench.run("alter table t alter id type numeric")
        #expect(try bench.standing("public.t", ["id"]).deafness != nil)
    }

    @Test func `many install at once`() async throws {
        let bench = try await ChangeBench()
        try bench.run("create table t(id int) partition by list (id); create table t1 partition of t default")
        let sql = try #require(try bench.standing("public.t", ["id"]).installation)
        let sessions = try (0..<6).map { _ in try bench.session() }
        await withTaskGroup(of: String?.self) { tasks in
            for session in sessions {
                let box = Unshared(session)
                tasks.addTask {
                    do { try box.session.run("begin; \(sql) commit") } catch { return "\(error)" }
                    return nil
                }
            }
            for await failure in tasks { #expect(failure == nil) }
        }
        #expect(try bench.standing("public.t", ["id"]).differences.isEmpty)
    }

    @Test func `settings files of different channels, tables and columns keep out of each other's way`() async throws {
        let bench = try await ChangeBench()
        try bench.run("create table t(a int, b int); create table u(a int)")
        try bench.install("public.t", ["a"])
        try bench.install("public.t", ["a", "b"])
        try bench.install("public.t", ["a"], channel: "other")
        try bench.install("public.t")
        try bench.install("public.u", ["a"])
        try bench.run("insert into t values (1, 2)")
        let heard = try bench.payloads().map { "\($0.channel) \(String(decoding: $0.payload, as: UTF8.self))" }
        #expect(
            heard.sorted() == [
                "other pgs1k6:public1:t1;1:a1:1", "pgsidecar pgs1k6:public1:t0;", "pgsidecar pgs1k6:public1:t1;1:a1:1",
                "pgsidecar pgs1k6:public1:t2;1:a1:b1:11:2",
            ])
        // The same columns in another order are told by the same trigger.
        #expect(try bench.standing("public.t", ["b", "a"]).differences.isEmpty)

        let removal = try #require(try bench.standing("public.t", ["a"]).removal)
        try bench.transact(removal)
        #expect(try bench.standing("public.t", ["a"]).removal == nil)
        #expect(try bench.standing("public.t", ["a", "b"]).differences.isEmpty)
        #expect(try bench.standing("public.t", ["a"], channel: "other").differences.isEmpty)
    }

    @Test func `whoever listens already hears at once that any row may have changed`() async throws {
        let bench = try await ChangeBench()
        try bench.run("create table t(a int)")
        try bench.transact(try #require(try bench.standing("public.t", ["a"]).installation))
        #expect(try bench.keys() == ["*"])
        try bench.transact(try #require(try bench.standing("public.t", ["a"]).removal))
        #expect(try bench.keys() == ["*"])
    }

    @Test func `nothing is left after the last one was removed`() async throws {
        let bench = try await ChangeBench()
        try bench.run("create table t(a int) partition by list (a); create table t1 partition of t for values in (1)")
        try bench.install("public.t", ["a"])
        try bench.run("alter table t detach partition t1")
        try bench.transact(try #require(try bench.standing("public.t", ["a"]).removal))
        try bench.transact(TriggerStanding.schemaRemoval)
        #expect(try bench.administrator.run("select 1 from pg_trigger where not tgisinternal").isEmpty)
        #expect(try bench.administrator.run("select 1 from pg_namespace where nspname = 'pgsidecar'").isEmpty)
    }

    @Test func `a schema in which something is left stays`() async throws {
        let bench = try await ChangeBench()
        try bench.run("create table t(a int); create table u(a int)")
        try bench.install("public.t", ["a"])
        try bench.install("public.u", ["a"])
        try bench.transact(try #require(try bench.standing("public.t", ["a"]).removal))
        try bench.transact(TriggerStanding.schemaRemoval)
        #expect(try bench.standing("public.u", ["a"]).differences.isEmpty)
    }

    @Test(arguments: [
        ("create view t as select 1 as a", "public.t is a view; list the tables that it reads"),
        (
            "create materialized view t as select 1 as a",
            "public.t is a materialized view, of which nothing tells when it is refreshed; list a table"
        ),
        (
            "create foreign data wrapper w; create server s foreign data wrapper w; create foreign table t(a int) server s",
            "public.t is a foreign table, whose rows change elsewhere; list a table of this database"
        ),
        ("create table u(a int)", "there is no table public.t"), ("create sequence t", "there is no table public.t"),
        ("create table t(b int)", "public.t has no column a"),
    ])
    func `what triggers can't tell of is refused`(setup: String, mistake: String) async throws {
        let bench = try await ChangeBench()
        try bench.run(setup)
        let standing = try bench.standing("public.t", ["a"])
        #expect(standing.mistake == mistake)
        #expect(standing.installation == nil)
    }

    @Test(arguments: ["jsonb", "interval", "money", "int[]", "int4range", "text collate odd"])
    func `a key whose equal values have several texts is told as any row, with a warning`(type: String) async throws {
        let bench = try await ChangeBench()
        try bench.run(
            "create collation odd (provider = icu, locale = 'und', deterministic = false); create table t(k \(type), v int)"
        )
        try bench.install("public.t", ["k"])
        let standing = try bench.standing("public.t", ["k"])
        #expect(standing.mistake == nil && standing.differences.isEmpty && standing.deafness == nil)
        #expect(
            standing.warnings == [
                "public.t: equal values of k may have several texts, so any change of the table flushes the group"
            ])
        try bench.run("insert into t(v) values (1)")
        #expect(try bench.keys() == ["*"])
        try bench.run("update t set v = 2 where false")
        #expect(try bench.keys() == [])
    }

    @Test func `a table that a subscription writes to is refused`() async throws {
        let bench = try await ChangeBench()
        try bench.run(
            """
            create table t(a int) partition by list (a); create table t1 partition of t default;
            create subscription \(bench.name) connection '' publication p with (connect = false, slot_name = none);
            set allow_system_table_mods = on;
            insert into pg_subscription_rel(srsubid, srrelid, srsubstate)
            select oid, 't1'::regclass, 'r' from pg_subscription where subname = '\(bench.name)'
            """)
        let mistake = try bench.standing("public.t", ["a"]).mistake
        #expect(mistake?.hasPrefix("a subscription writes to public.t1, for which PostgreSQL calls no") == true)
    }

    @Test func `a partition that is a foreign table makes no statement fail`() async throws {
        let bench = try await ChangeBench()
        try bench.run(
            """
            create extension file_fdw; create server s foreign data wrapper file_fdw;
            create table t(a int) partition by list (a); create table t1 partition of t for values in (1);
            create foreign table t2 partition of t for values in (2) server s options (filename '/dev/null')
            """)
        try bench.install("public.t", ["a"])
        #expect(try bench.standing("public.t", ["a"]).differences.isEmpty)
        try bench.run("insert into t values (1)")
        #expect(try bench.keys() == ["*"])
        try bench.run("update t set a = 1 where a = 1")
        #expect(try bench.keys() == ["*"])
        try bench.run("delete from t1")
        #expect(try bench.keys() == ["1"])
    }

    @Test func `a partition that a rule names is heard of through its parents, too`() async throws {
        let bench = try await ChangeBench()
        try bench.run(
            "create table t(a int) partition by list (a); create table t1 partition of t for values in (1); "
                + "create table t2 partition of t for values in (2)")
        try bench.install("public.t1", ["a"])
        try bench.run("insert into t values (1)")
        #expect(try bench.heard().map(\.table) == [TableName(schema: "public", name: "t1")])
        try bench.run("update t1 set a = 1")
        #expect(try bench.keys() == ["1"])
    }

    @Test func `a partition that came later is missed, told, and made right`() async throws {
        let bench = try await ChangeBench()
        try bench.run("create table t(a int) partition by list (a)")
        try bench.install("public.t", ["a"])
        try bench.run("create table t1 partition of t for values in (1); insert into t values (1)")
        #expect(try bench.keys() == ["1"])
        let standing = try bench.standing("public.t", ["a"])
        #expect(standing.differences.count == 4)
        #expect(standing.deafness == nil && standing.unheard == [TableName(schema: "public", name: "t1")])
        try bench.install("public.t", ["a"])
        try bench.run("insert into t1 values (1)")
        #expect(try bench.keys() == ["1"])
    }

    @Test func `one who owns the tables and may make a schema installs`() async throws {
        let bench = try await ChangeBench()
        try bench.run(
            """
            create role o\(bench.name) login; grant create on database \(bench.name) to o\(bench.name);
            create table t(a int); alter table t owner to o\(bench.name)
            """)
        let sql = try #require(try bench.standing("public.t", ["a"]).installation)
        try bench.session("&user=o\(bench.name)").run("begin; \(sql) commit")
        #expect(try bench.standing("public.t", ["a"]).differences.isEmpty)
    }

    @Test func `a table that is locked is not waited for long`() async throws {
        let bench = try await ChangeBench()
        try bench.run("create table t(a int)")
        let sql = try #require(try bench.standing("public.t", ["a"]).installation)
        let writer = try bench.session()
        try writer.run("begin; insert into t values (1)")
        let installer = try bench.session()
        let refusal = #expect(throws: SQLFailure.self) {
            try installer.run("begin; \(sql.replacing("'5s'", with: "'1ms'")) commit")
        }
        #expect(refusal?.state == "55P03")
        try writer.run("commit")
    }
}

/// A session that one task uses.
private struct Unshared: @unchecked Sendable {
    let session: SQLSession
    init(_ session: SQLSession) { self.session = session }
}

extension ChangeBench {
    fileprivate func transact(_ sql: String) throws { try run("begin; \(sql) commit") }
}
