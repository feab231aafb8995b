import Foundation
import PrivateDatabase
import TestSupport
import Testing

/// The setting `verify`, by which a sidecar compares what it has in memory with the database while it serves.
@Suite(.timeLimit(.minutes(10)))
struct VerifySettingTests {
    private func withVerifyingSidecar(
        bound: String, _ body: (RunningSidecar, TestDatabase) async throws -> Void
    ) async throws {
        let database = try await TestDatabase.shared()
        let settings = """
            database: { url: "\(database.url)", connections: 4 }
            invalidation: { source: notify }
            verify: { rate: 100%, bound: \(bound) }
            groups:
              word:
                sql: "select text from word where id = $1::int"
                returns: value
                ttl: 1h
                invalidate_on: [{ table: public.word, key: [id] }]
              plain: { sql: "select text from word where id = $1::int", returns: value, ttl: 1h }
            """
        try await tellChanges(by: settings)
        try await withSidecar(settings) { sidecar in
            #expect(await eventually { (try? sidecar.info("invalidation_state")) == "live" })
            try await body(sidecar, database)
        }
    }

    private func figure(_ name: String, _ sidecar: RunningSidecar) throws -> Int {
        try #require(Int(try sidecar.info("verify_\(name)")))
    }

    /// Changes a row without a word to those who listen.
    private func change(_ id: Int, to text: String, in database: TestDatabase) async throws {
        try await database.run(
            """
            do $$
            declare
                name text;
            begin
                alter table word disable trigger user;
                update word set text = '\(text)' where id = \(id);
                for name in select tgname from pg_trigger where tgrelid = 'word'::regclass and not tgisinternal loop
                    execute format('alter table word enable always trigger %I', name);
                end loop;
            end $$
            """)
    }

    @Test func `a row that changed behind everybody's back is counted, logged, and no longer served`() async throws {
        try await withVerifyingSidecar(bound: "1s") { sidecar, database in
            let client = try sidecar.client()
            for id in 1...5 { #expect(try client.ask("GET", "word:\(id)") == .bulk("word \(id)")) }
            #expect(try client.ask("GET", "plain:3") == .bulk("word 3"))
            try await change(3, to: "behind", in: database)
            #expect(try client.ask("GET", "word:3") == .bulk("word 3"))
            // Comparisons are paid by hits.
            #expect(
                try await eventually {
                    for _ in 0..<10 { _ = try client.ask("GET", "word:1") }
                    return try figure("mismatches", sidecar) == 1
                })
            #expect(try client.ask("GET", "word:3") == .bulk("behind"))
            #expect(sidecar.process.errors.contains("for longer than verify.bound"))
            // Of a group that nobody tells of changes no more is promised than its times.
            #expect(try client.ask("GET", "plain:3") == .bulk("word 3"))
        }
    }

    @Test func `rows that change as they should are no mismatch, however often they are compared`() async throws {
        try await withVerifyingSidecar(bound: "1s") { sidecar, database in
            let asker = try Asker(sidecar.client()) { ["GET", "word:\(1 + $0 % 30)"] }
            var round = 0
            #expect(
                try await eventually(within: .seconds(90)) {
                    round += 1
                    try await database.run("update word set text = 'round \(round)' where id % 3 = \(round % 3)")
                    return try figure("checked", sidecar) >= 150
                })
            #expect(try figure("mismatches", sidecar) == 0)
            _ = try await asker.stop()
        }
    }
}
