import CacheCore
import Foundation
import Groundwork
import PrivateDatabase
import TestSupport
import Testing

@testable import Postgres

/// Loads that share a sync: what goes wrong with one is its own affair.
@Suite(.timeLimit(.minutes(10)))
struct SegmentTests {
    /// One loop and one connection, so that what is asked for together is one segment.
    private func bench(
        _ getters: [QueryGetter], prepare: Bool = true, url: String? = nil
    ) async throws -> Bench {
        let shared = try await Server.shared().url
        let bench = try Bench(
            url ?? shared, loops: 1,
            settings: {
                $0.connections = 1
                $0.prepare = prepare
            }, getters)
        #expect(await bench.eventually { $0.connectionsReady == 1 })
        bench.trust()
        return bench
    }

    private func calls(_ mark: String) async throws -> Int? {
        let sql = """
            select sum(calls) from pg_stat_statements
            where query like '%select $1::int % from \(mark)%' and query not like 'explain %'
            """
        return Int(try await Server.shared().psql(sql).trimmingCharacters(in: .whitespacesAndNewlines))
    }

    @Test(
        arguments: [[0], [7], [15], [3, 9], [0, 15], [3, 4], Array(0..<16)], [true, false])
    func `bad keys in a segment fail alone, and each good one is run once`(bad: [Int], prepare: Bool) async throws {
        let mark = "segment_\(bad.map(String.init).joined(separator: "_"))_\(prepare)"
        // A table of its own, since names of columns and constants do not tell queries apart in pg_stat_statements.
        _ = try await Server.shared().psql("create table \(mark) as select 2 as factor")
        let getter = QueryGetter(name: "g", sql: "select $1::int * factor from \(mark)", returns: .value)
        let bench = try await bench([getter], prepare: prepare)
        let keys = (0..<16).map { bad.contains($0) ? "x\($0)" : "\($0)" }
        let answers = await bench.loadTogether("g", keys)
        for (index, answer) in answers.enumerated() {
            if bad.contains(index) {
                #expect(answer.code == .badKey)
            } else {
                #expect(answer == .text("\(index * 2)"))
            }
        }
        // A load that was not run was sent once more, and none more often.
        let firstBad = bad.first ?? 16
        #expect(bench.database.status.loadsSent == 16 + 15 - firstBad)
        #expect(bench.database.status.loadsRetried == 0)
        if bad.count < 16 { #expect(try await calls(mark) == 16 - bad.count) }
        await bench.stop()
    }

    @Test func `more loads than a segment holds come back, bad keys among them`() async throws {
        let getter = QueryGetter(name: "g", sql: "select $1::int + 1", returns: .value)
        let bench = try await bench([getter])
        let keys = (0..<500).map { $0 % 50 == 20 ? "x\($0)" : "\($0)" }
        for (index, answer) in await bench.loadTogether("g", keys).enumerated() {
            if index % 50 == 20 {
                #expect(answer.code == .badKey)
            } else {
                #expect(answer == .text("\(index + 1)"))
            }
        }
        #expect(bench.database.status.loadsSent <= 1000)
        await bench.stop()
    }

    @Test func `a statement whose Parse was skipped behind a bad key is prepared again`() async throws {
        let one = QueryGetter(name: "one", sql: "select $1::int * 1", returns: .value)
        let two = QueryGetter(name: "two", sql: "select $1::int + 1", returns: .value)
        let bench = try await bench([one, two])
        let asked = [("one", "x"), ("two", "1"), ("one", "2"), ("two", "3")]
        let answers = await bench.loadTogether(asked)
        #expect(answers[0].code == .badKey)
        #expect(Array(answers[1...]) == [.text("2"), .text("2"), .text("4")])
        #expect(await bench.load("two", "8") == .text("9"))
        #expect(bench.database.status.loadsRetried == 0)
        await bench.stop()
    }

    @Test func `SQL that cannot be parsed fails its own loads only`() async throws {
        let good = QueryGetter(name: "good", sql: "select $1::int * 1", returns: .value)
        let wrong = QueryGetter(name: "wrong", sql: "select nothing from nowhere where $1 = 1", returns: .value)
        let bench = try await bench([good, wrong])
        let asked = (0..<16).map { ($0 % 4 == 1 ? "wrong" : "good", "\($0)") }
        for (index, answer) in await bench.loadTogether(asked).enumerated() {
            if index % 4 == 1 {
                #expect(answer.code == .query)
            } else {
                #expect(answer == .text("\(index)"))
            }
        }
        await bench.stop()
    }

    @Test func `a schema change in a segment is healed for all of it`() async throws {
        let server = try await Server.shared()
        _ = try await server.psql("create table segmented as select id from generate_series(0, 40) id")
        let getter = QueryGetter(name: "g", sql: "select * from segmented where id = $1::int", returns: .row)
        let bench = try await bench([getter])
        let keys = (0..<40).map { "\($0)" }
        _ = await bench.loadTogether("g", keys)
        _ = try await server.psql("alter table segmented add column more int default 1")
        for (index, answer) in await bench.loadTogether("g", keys).enumerated() {
            #expect(answer == .row(#"{"id":\#(index),"more":1}"#, ["id": "\(index)", "more": "1"]))
        }
        #expect(bench.schemaChanges.all == ["g"])
        #expect(bench.database.status.connectionsLost == 0)
        await bench.stop()
    }

    @Test func `a connection killed in a segment has the rest of it sent once more`() async throws {
        let held = try await Hold(13, on: Server.shared())
        let sql = "select case when $1 = '5' then \(Hold.sql(13))::text || 'killed' else $1 end"
        let getter = QueryGetter(name: "g", sql: sql, returns: .value)
        let bench = try await bench([getter])
        async let answers = bench.loadTogether("g", (0..<16).map { "\($0)" })
        #expect(try await held.killWaiting())
        for (index, answer) in await answers.enumerated() {
            #expect(answer == .text(index == 5 ? "killed" : "\(index)"))
        }
        #expect(bench.database.status.connectionsLost == 1)
        await bench.stop()
    }

    @Test func `a key of many bytes goes out with those around it`() async throws {
        let getter = QueryGetter(name: "g", sql: "select length($1::text)", returns: .value)
        let bench = try await bench([getter])
        let lengths = [1, 5000, 2, 100_000, 3, 3000, 3000, 4]
        let keys = lengths.enumerated().map { String(repeating: "\($0.offset)", count: $0.element) }
        #expect(await bench.loadTogether("g", keys) == lengths.map { .text("\($0)") })
        await bench.stop()
    }

    @Test(arguments: [1, 3_000])
    func `no load of a segment reads what was there before it started, not even where a transaction has one snapshot`(
        keyLength: Int
    ) async throws {
        let server = try await Server.shared()
        _ = try await server.psql(
            """
            create role repeating_\(keyLength) login;
            alter role repeating_\(keyLength) set default_transaction_isolation = 'repeatable read';
            create table clock_of_\(keyLength)(v int); insert into clock_of_\(keyLength) values (0);
            grant all on clock_of_\(keyLength) to repeating_\(keyLength)
            """)
        let url = server.url.replacing("user=postgres", with: "user=repeating_\(keyLength)")
        let getter = QueryGetter(
            name: "g", sql: "select v from clock_of_\(keyLength) where $1::text <> ''", returns: .value)
        let bench = try await bench([getter], url: url)
        let pad = String(repeating: "x", count: keyLength)
        for round in 1...20 {
            _ = try await server.psql("update clock_of_\(keyLength) set v = \(round)")
            let answers = await bench.loadTogether("g", (1...40).map { "\($0)" + pad })
            #expect(answers.allSatisfy { $0 == .text("\(round)") })
        }
        await bench.stop()
    }
}
