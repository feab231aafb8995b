import CacheCore
import EventLoop
import Groundwork
import Logging
import Postgres
import TestSupport
import Testing

@testable import Invalidation

/// What a listening source finds out about tables beside what triggers tell.
@Suite(.timeLimit(.minutes(10)))
struct NotifySourceTests {
    private static let setUp = """
        create table account(id int primary key, mail text) partition by range (id);
        create table account_1 partition of account for values from (0) to (100);
        create table account_2 partition of account for values from (100) to (200);
        insert into account values (1, 'a'), (101, 'b');
        """

    /// Runs a test with a source that looks at the triggers at every beat.
    private func withSource(_ body: (ChangeBench, Recorder, () -> Void) async throws -> Void) async throws {
        let bench = try await ChangeBench()
        try bench.run(Self.setUp)
        try bench.install("public.account", ["id"])
        let loop = try EventLoop()
        loop.start()
        let recorder = Recorder()
        let rule = TableRule(table: TableName(schema: "public", name: "account"), key: ["id"])
        let map = InvalidationMap([InvalidatedGroup(try Group("account", getter: NothingGetter()), rules: [rule])])
        let settings = ChangeBench.settings(bench.url)
        let source = NotifySource(
            settings, loads: settings, channel: "pgsidecar", map, on: loop, owner: recorder,
            logger: Logger(label: "test"), checkPause: .zero)
        loop.submit { source.connect() }
        #expect(await eventually { recorder.timesProven == 1 }, "\(recorder.losses)")
        try await body(bench, recorder) { loop.submit { source.beat() } }
        loop.submit { source.close() }
        let isClosed = Groundwork.Mutex(false)
        loop.submit { isClosed.withLock { $0 = true } }
        #expect(await eventually { isClosed.withLock { $0 } })
        await loop.end()
    }

    @Test(arguments: [
        "alter table account detach partition account_2",
        "alter table account add column more int; alter table account drop column more",
        "alter table account rename column mail to post; alter table account rename column post to mail",
        "create table account_3 partition of account for values from (200) to (300)",
        "alter table account alter column mail type varchar using 'rewritten'",
        """
        do $$
        declare
            name text;
        begin
            alter table account disable trigger user;
            update account set mail = 'unheard' where id = 1;
            for name in select tgname from pg_trigger where tgrelid = 'account'::regclass and not tgisinternal loop
                execute format('alter table account enable always trigger %I', name);
            end loop;
        end $$
        """,
    ])
    func `what no trigger tells is found at the next look, and the table is stale as a whole`(_ change: String)
        async throws
    {
        try await withSource { bench, recorder, beat in
            try bench.run(change)
            #expect(
                await eventually {
                    beat()
                    return recorder.changeCount > 0
                })
            #expect(recorder.takeChanges().allSatisfy { $0 == all() })
            #expect(recorder.losses == [])
        }
    }

    @Test func `as long as nothing is defined anew, looks find nothing`() async throws {
        try await withSource { bench, recorder, beat in
            let told = recorder.told
            for _ in 0..<3 {
                try bench.run("analyze account; create index on account_1 (mail)")
                beat()
            }
            try bench.run("update account set mail = 'b' where id = 1")
            #expect(
                await eventually {
                    beat()
                    return recorder.changeCount > 0 && recorder.told > told
                })
            #expect(recorder.takeChanges() == [rows([["1"]])])
        }
    }
}
