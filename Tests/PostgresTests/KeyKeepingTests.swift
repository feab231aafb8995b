import CacheCore
import Groundwork
import PrivateDatabase
import TestSupport
import Testing

@testable import Postgres

/// A group that hears of changes keeps nothing under a text that it does not hear.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct KeyKeepingTests {
    private func getter(
        _ name: String, _ sql: String, _ columns: [String], table: String? = nil, batch: String? = nil
    ) -> QueryGetter {
        QueryGetter(
            name: name, sql: sql, returns: .value, batch: batch.map { BatchQuery(sql: $0) },
            keyedBy: [KeyedTable(schema: "keeping", name: table ?? name, columns: columns)])
    }

    private func bench(
        _ schema: String, _ getters: [QueryGetter], warnings: Log? = nil
    ) async throws -> Bench {
        let server = try await Server.shared()
        _ = try await server.psql("drop schema if exists keeping cascade; create schema keeping; \(schema)")
        let bench = try Bench(server.url, warnings: warnings, getters)
        #expect(await bench.described())
        return bench
    }

    /// What stays in memory after each was asked for.
    private func kept(_ bench: Bench, _ group: String, _ keys: [String]) async throws -> [String] {
        for answer in await bench.loadTogether(group, keys) {
            if case .error(_, let message) = answer { Issue.record("\(group): \(message)") }
        }
        let group = try #require(bench.groups[group])
        return keys.filter { key in
            group.inspect(Array(key.utf8).span.bytes, at: Instant.now()) != nil
        }
    }

    @Test func `only what was asked for by the value's own text is kept, alone, in batches, with a row or without`()
        async throws
    {
        let bench = try await bench(
            """
            create table keeping.number(id int primary key, v text); insert into keeping.number values (7, 'seven');
            create table keeping.price(id numeric primary key, v text); insert into keeping.price values (7.50, 'x');
            create table keeping.pair(a int, b text, v text, primary key (a, b));
            insert into keeping.pair values (1, 'x:y', 'p');
            create table keeping.moment(id timestamptz primary key, v text);
            insert into keeping.moment values ('2024-02-29 04:05Z', 'm');
            """,
            [
                getter("number", "select v from keeping.number where id = $1", ["id"]),
                getter(
                    "batch", "select v from keeping.number where id = $1", ["id"], table: "number",
                    batch: "select id, v from keeping.number where id = any($1)"),
                getter("price", "select v from keeping.price where id = $1", ["id"]),
                getter("pair", "select v from keeping.pair where a = $1 and b = $2", ["a", "b"]),
                getter("moment", "select v from keeping.moment where id = $1", ["id"]),
            ])
        for group in ["number", "batch"] {
            #expect(
                try await kept(bench, group, ["7", "007", "+7", " 7", "8", "08", "-0", "0"]) == ["7", "8", "0"],
                "\(group)")
        }
        #expect(try await kept(bench, "price", ["7.5", "7.50", "75e-1", "7", "7.0"]) == ["7.5", "7"])
        #expect(try await kept(bench, "pair", ["1:x:y", "01:x:y", "1:", "1: "]) == ["1:x:y", "1:", "1: "])
        #expect(
            try await kept(
                bench, "moment",
                ["2024-02-29 04:05:00+00", "2024-02-29 05:05:00+01", "2024-02-29T04:05Z", "2024-02-29 04:05:01+00"])
                == ["2024-02-29 04:05:00+00", "2024-02-29 04:05:01+00"])
        await bench.stop()
    }

    @Test func `a text that is compared with another type is kept when it is that type's own text`() async throws {
        let bench = try await bench(
            """
            create table keeping.number(id int primary key, v text); insert into keeping.number values (7, 'seven');
            create table keeping.thing(id uuid primary key, v text);
            """,
            [
                getter("written", "select v from keeping.number where id::text = $1", ["id"], table: "number"),
                getter("read", "select v from keeping.number where id = $1::text::int", ["id"], table: "number"),
                getter("thing", "select v from keeping.thing where id::text = $1", ["id"]),
            ])
        #expect(try await kept(bench, "written", ["7", "007", "seven"]) == ["7"])
        #expect(try await kept(bench, "read", ["7", "007"]) == ["7"])
        #expect(
            try await kept(
                bench, "thing", ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"])
                == ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"])
        await bench.stop()
    }

    @Test func `where a table can't tell of keys the whole group is stale, which is said once and why`() async throws {
        let warnings = Log()
        let told = Log()
        let bench = try await bench(
            """
            create table keeping.doc(id jsonb primary key, v text);
            create table keeping.moment(id timestamptz primary key, v text);
            """,
            [
                getter("doc", "select v from keeping.doc where id = $1", ["id"]),
                getter("moment", "select v from keeping.moment where id = $1::text::timestamptz", ["id"]),
            ], warnings: warnings)
        for description in try #require(bench.database.descriptions) {
            for verdict in description.keys?.verdicts ?? [] {
                guard case .whole(let why) = verdict else { continue }
                told.append(why)
            }
        }
        #expect(told.all.count == 2)
        #expect(told.all.first?.contains("keeping.doc.id is jsonb") == true)
        #expect(told.all.last?.contains("$1 is text, and keeping.moment.id is timestamp with time zone") == true)
        // Any text is as good as any other then.
        #expect(try await kept(bench, "doc", ["{}", "{ }"]) == ["{}", "{ }"])
        #expect(warnings.all.count { $0.contains("any change of a table flushes the group") } == 2)
        _ = try await bench.database.describe()
        #expect(warnings.all.count { $0.contains("any change of a table flushes the group") } == 2)
        await bench.stop()
    }

    @Test func `a table or column that is not there is a mistake, and nothing is kept until it is`() async throws {
        let bench = try await bench(
            "create table keeping.number(id int primary key, v text); create view keeping.shown as table keeping.number;",
            [
                getter("absent", "select 1 from keeping.number where id = $1", ["id"], table: "nowhere"),
                getter("view", "select 1 from keeping.shown where id = $1", ["id"], table: "shown"),
                getter("column", "select 1 from keeping.number where id = $1", ["idd"], table: "number"),
            ])
        let mistakes = try #require(bench.database.descriptions).compactMap { $0.mistake?.description }
        #expect(
            mistakes == [
                "absent.invalidate_on: there is no table keeping.nowhere; of a view, list the tables that it reads",
                "view.invalidate_on: there is no table keeping.shown; of a view, list the tables that it reads",
                "column.invalidate_on: the table keeping.number has no column \"idd\"; it has id, v",
            ])
        for group in ["absent", "view", "column"] { #expect(try await kept(bench, group, ["1", "2"]) == []) }
        _ = try await Server.shared().psql("alter table keeping.number add idd int")
        _ = try await bench.database.describe()
        #expect(try await kept(bench, "column", ["1", "2"]) == ["1", "2"])
        await bench.stop()
    }

    @Test func `when a column gets another type the group is flushed, and its own texts are that type's`() async throws
    {
        let bench = try await bench(
            "create table keeping.number(id int primary key, v text);",
            [getter("number", "select v from keeping.number where id = $1", ["id"])])
        #expect(try await kept(bench, "number", ["7", "7.5", "07"].filter { $0 != "7.5" }) == ["7"])
        _ = try await Server.shared().psql("alter table keeping.number alter id type text")
        _ = try await bench.database.describe()
        #expect(bench.schemaChanges.all.contains("number"))
        #expect(bench.groups["number"]?.statistics.entries == 0)
        let description = try await bench.database.describe()
        #expect(description[0].keys?.verdicts == [.keys([.text])])
        await bench.stop()
    }
}
