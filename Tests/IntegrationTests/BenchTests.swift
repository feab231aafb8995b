import Foundation
import PrivateDatabase
import TestSupport
import Testing

@testable import LoadTest

/// `pgsidecar bench`: its figures are those that others count, and it ends well whatever happens.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct BenchTests {
    /// Runs it and returns its report, when it ended well.
    private func bench(_ options: [String]) async throws -> (report: BenchReport?, output: String) {
        let (end, report, output) = try await run(options)
        #expect(end == .code(0), "\(output)")
        return (report, output)
    }

    private func run(
        _ options: [String]
    ) async throws -> (end: RunningProgram.End?, report: BenchReport?, output: String) {
        let folder = temporaryPath()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let few = ["--connections", "8", "--keys", "500", "--json", "\(folder)/report.json"]
        let program = try RunningProgram([pgsidecarPath, "bench"] + options + few, in: folder)
        let end = await program.end(within: .seconds(500))
        if end == nil { program.signal(SIGKILL) }
        program.expectNoRaces()
        let json = try? String(contentsOfFile: "\(folder)/report.json", encoding: .utf8)
        #expect((try? FileManager.default.contentsOfDirectory(atPath: "\(folder)/run").isEmpty) ?? true)
        return (end, try json.map { try BenchReport(json: $0) }, program.output + program.errors)
    }

    private func way(_ way: Way, _ scenario: Scenario, _ report: BenchReport?) throws -> WayReport {
        try #require(report?.scenarios.first { $0.scenario == scenario }?.ways.first { $0.way == way })
    }

    /// Whether two counts differ by a twentieth at most, or by what may be on its way at the end.
    private func agree(_ one: Int, _ other: Int, besides onTheirWay: Int = 16) -> Bool {
        abs(one - other) <= max(one, other) / 20 + onTheirWay
    }

    // MARK: Counts

    private func settings(_ database: TestDatabase) -> String {
        """
        database: { url: "\(database.url)", connections: 4 }
        groups:
          word: { sql: "select id, text, number from word where id = $1", ttl: 1h }
        """
    }

    /// One whose statements are counted, and where that can be asked.
    private func countedDatabase() async throws -> TestDatabase {
        let database = try await TestDatabase.shared()
        try await database.run("create extension pg_stat_statements")
        return database
    }

    /// A sidecar's settings file, with keys of a query.
    private func options(_ sidecar: RunningSidecar) -> [String] {
        ["--config", "\(sidecar.folder)/pgsidecar.yaml", "--keys-query", "select id from word"]
    }

    @Test(arguments: [["--rate", "500"], [], ["--pipeline", "16"], ["--width", "5"]])
    func `asks of the database are the queries that PostgreSQL counts`(_ shape: [String]) async throws {
        let database = try await countedDatabase()
        try await withSidecar(settings(database)) { sidecar in
            // Without warm-up, so that all that is asked is measured.
            let (report, output) = try await bench(
                ["hits", "--ways", "database", "--duration", "2", "--warm-up", "0"] + shape + options(sidecar))
            let way = try way(.database, .hits, report)
            #expect(way.asks.errors == 0 && way.asks.missing == 0, "\(output)")
            #expect(way.asks.keys > 50)
            let counted = try await database.run(
                """
                select sum(calls) from pg_stat_statements
                where dbid = (select oid from pg_database where datname = current_database())
                    and query like '%from word where%'
                """)
            #expect(agree(way.asks.keys, Int(counted) ?? 0, besides: 8 * 16 * 5), "\(way.asks.keys) and \(counted)")
            let seen = try #require(way.database)
            #expect(seen.source == .statements)
            // Its first look may be late by some of the first asks, and some are on their way at the end.
            let fewest = way.asks.keys * 4 / 5
            let most = way.asks.keys + 8 * 16 * 5
            #expect((fewest...most).contains(seen.queries), "\(seen.queries) and \(way.asks.keys)")
            if shape.first == "--rate" { #expect(abs(way.asks.perSecond - 500) < 100) }
        }
    }

    @Test func `asks of the sidecar are the gets that it counts, and cost no query when all is in memory`() async throws
    {
        let database = try await countedDatabase()
        try await withSidecar(settings(database)) { sidecar in
            let (report, output) = try await bench(
                ["hits", "--ways", "sidecar", "--duration", "2", "--warm-up", "0"] + options(sidecar))
            let way = try way(.sidecar, .hits, report)
            #expect(way.asks.errors == 0, "\(output)")
            #expect(way.database?.queries == 0)
            #expect(way.serverProcessorSeconds ?? 0 > 0)
            let gets = try sidecar.statistics("word")["gets"] ?? 0
            #expect(agree(way.asks.answered, gets - 500), "\(way.asks.answered) and \(gets)")
            #expect(try sidecar.statistics("word")["loads"] == 500)
            #expect(output.contains("hits: Every key was asked for before."))
        }
    }

    @Test func `a sidecar that asks for a password is asked with that of its settings, in each scenario`() async throws
    {
        let database = try await TestDatabase.shared()
        try await withSidecar(settings(database), listen: ", password: secret") { sidecar in
            let few = ["--ways", "sidecar", "--duration", "0.5", "--warm-up", "0"]
            let (report, output) = try await bench(["hits", "mixed", "herd"] + few + options(sidecar))
            #expect(report?.scenarios.count == 3)
            #expect(report?.scenarios.allSatisfy { $0.ways.allSatisfy { $0.asks.errors == 0 } } == true, "\(output)")
            let file = "\(sidecar.folder)/other.yaml"
            let other = try String(contentsOfFile: "\(sidecar.folder)/pgsidecar.yaml", encoding: .utf8)
                .replacing("secret", with: "wrong")
            try other.write(toFile: file, atomically: true, encoding: .utf8)
            let own = ["--config", file, "--keys-query", "select id from word"]
            let (end, _, words) = try await run(["hits"] + few + own)
            #expect(end == .code(69) && words.contains("AUTH: WRONGPASS"), "\(words)")
        }
    }

    @Test func `a file has keys with the group's name or without it; keys without a row are missing`() async throws {
        let database = try await TestDatabase.shared()
        try await withSidecar(settings(database)) { sidecar in
            let file = "\(sidecar.folder)/keys"
            try "word:1\n2\nword:99999\n".write(toFile: file, atomically: true, encoding: .utf8)
            let (report, _) = try await bench([
                "mixed", "--config", "\(sidecar.folder)/pgsidecar.yaml", "--keys-file", file, "--duration", "1",
                "--skew", "0",
            ])
            for way in [try way(.sidecar, .mixed, report), try way(.database, .mixed, report)] {
                #expect(report?.scenarios.first?.load.keys == 3)
                #expect(way.asks.answered > 10)
                #expect((1..<way.asks.answered).contains(way.asks.missing))
            }
        }
    }

    @Test func `a user's own rows are written only by the SQL that he gives, for keys of several parts, too`()
        async throws
    {
        let database = try await TestDatabase.shared()
        try await database.run(
            """
            create table seat(row int, number int, bookings int not null default 0, primary key (row, number));
            insert into seat select i % 10, i, 0 from generate_series(1, 400) i
            """)
        let text = """
            database: { url: "\(database.url)" }
            invalidation: { source: notify }
            groups:
              seat:
                sql: "select bookings from seat where row = $1 and number = $2"
                returns: value
                ttl: 1h
                invalidate_on: [{ table: public.seat, key: [row, number] }]
            """
        try await tellChanges(by: text)
        try await withSidecar(text) { sidecar in
            let file = "\(sidecar.folder)/pgsidecar.yaml"
            #expect(await eventually { (try? sidecar.info("invalidation_state")) == "live" })
            let own = ["--config", file, "--keys-query", "select row, number from seat", "--duration", "2"]
            let (refused, _, words) = try await run(["writes"] + own)
            #expect(refused == .code(64) && words.contains("say by --write-sql"), "\(words)")
            #expect(try await database.run("select sum(bookings) from seat") == "0")
            let sql = "update seat set bookings = bookings + 1 where row = $1 and number = $2"
            let (report, output) = try await bench(["writes", "--write-rate", "50", "--write-sql", sql] + own)
            let writes = try #require(try way(.sidecar, .writes, report).writes)
            #expect(writes.writes > 10 && writes.unseen == 0, "\(output)")
            #expect(try await database.run("select sum(bookings) from seat") == "\(writes.writes)")
            let (excess, _, excessWords) = try await run(
                ["writes", "--write-sql", "update seat set bookings = $3 where row = $1 and number = $2"] + own)
            #expect(excess == .code(64) && excessWords.contains("has 3 parameters"), "\(excessWords)")
            let (wrong, _, wrongWords) = try await run(["writes", "--write-sql", "updat seat set bookings = 1"] + own)
            #expect(wrong == .code(64) && wrongWords.contains("syntax error"), "\(wrongWords)")
            // It changes a row, and nothing that the value shows.
            let same = "update seat set bookings = bookings where row = $1 and number = $2"
            let (unseen, unseenWords) = try await bench(["writes", "--ways", "sidecar", "--write-sql", same] + own)
            let nothing = try way(.sidecar, .writes, unseen)
            #expect(nothing.warnings.contains { $0.contains("no write was seen in a value") }, "\(unseenWords)")
            let count = try #require(nothing.writes?.unseen)
            #expect(unseenWords.contains("rows written; \(count) not within 5 s"), "\(unseenWords)")
        }
    }

    @Test func `keys that a request can't say are left out, and a query for keys of other parts is refused`()
        async throws
    {
        let database = try await TestDatabase.shared()
        try await database.run(
            """
            create table route(origin text, target text, price int);
            insert into route values ('a', 'b:c', 1), ('a:b', 'c', 2), ('d', '"e', 3), ('f', null, 4)
            """)
        let text = """
            database: { url: "\(database.url)" }
            groups:
              route:
                sql: "select price from route where origin = $1 and target = $2"
                returns: value
                ttl: 1h
            """
        try await withSidecar(text) { sidecar in
            let own = ["hits", "--duration", "0.5", "--config", "\(sidecar.folder)/pgsidecar.yaml"]
            let (report, output) = try await bench(own + ["--keys-query", "select origin, target from route ; "])
            #expect(output.contains("without 2 keys that are null or have a ':'"), "\(output)")
            #expect(report?.scenarios.first?.load.keys == 2)
            let asked = try way(.sidecar, .hits, report)
            #expect(asked.asks.answered > 10 && asked.asks.missing == 0, "\(output)")
            let (absent, words) = try await bench(own + ["--keys-query", "select 'no', 'where'"])
            #expect(try way(.sidecar, .hits, absent).warnings.contains { $0.contains("had no value") }, "\(words)")
            let (more, _, moreWords) = try await run(own + ["--keys-query", "select origin, target, price from route"])
            #expect(more == .code(64) && moreWords.contains("has 3 columns"), "\(moreWords)")
            let (wrong, _, wrongWords) = try await run(own + ["--keys-query", "select origin from nowhere"])
            #expect(wrong == .code(64) && wrongWords.contains("\"nowhere\" does not exist"), "\(wrongWords)")
        }
    }

    @Test func `a report goes to what is at its path, and a path that takes none is told before anything is measured`()
        async throws
    {
        let folder = temporaryPath()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let refused = try RunningProgram([pgsidecarPath, "bench", "--html", "nowhere/report.html"], in: folder)
        #expect(await refused.end() == .code(64))
        #expect(refused.errors.contains("can't write the report to nowhere/report.html: No such file"))
        let link = "\(folder)/link.json"
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "\(folder)/target.json")
        let few = ["--connections", "2", "--keys", "10", "--duration", "0.5", "--warm-up", "0", "--ways", "sidecar"]
        let program = try RunningProgram([pgsidecarPath, "bench", "hits", "--json", link] + few, in: folder)
        #expect(await program.end(within: .seconds(200)) == .code(0), "\(program.errors)")
        let json = try String(contentsOfFile: "\(folder)/target.json", encoding: .utf8)
        #expect(try BenchReport(json: json).scenarios.count == 1)
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == "\(folder)/target.json")
    }

    // MARK: Scenarios, with a database of its own

    @Test func `of a herd the sidecar makes one query for each key that went, the database one for each ask`()
        async throws
    {
        let (report, output) = try await bench(["herd", "--duration", "2", "--hot-keys", "5"])
        let sidecar = try way(.sidecar, .herd, report)
        let herd = try #require(sidecar.herd)
        #expect(herd.expirations == 4 && herd.hotKeys == 5)
        #expect(herd.asks > 20)
        // One that goes while it is loaded is loaded again, and one that nobody asks for between two times is not loaded.
        #expect((1...2 * 4 * 5).contains(herd.queries ?? 0), "\(output)")
        #expect((1...2 * 5).contains(herd.mostQueriesAtOnce ?? 0), "\(output)")
        #expect(
            output.contains("sidecar: \(herd.asks.grouped) asks, \(herd.queries ?? 0) queries (5 keys went 4 times"))
        let direct = try #require(try way(.database, .herd, report).herd)
        #expect((direct.asks * 4 / 5...direct.asks + 8).contains(direct.queries ?? 0), "\(direct)")
    }

    @Test func `the sidecar goes on answering while the database is away, the database does not`() async throws {
        let (report, output) = try await bench(["outage", "--duration", "3", "--rate", "300"])
        let sidecar = try #require(try way(.sidecar, .outage, report).outage)
        #expect(sidecar.answered > 0 && sidecar.errors == 0, "\(output)")
        #expect(sidecar.to > sidecar.from)
        let database = try #require(try way(.database, .outage, report).outage)
        #expect(database.errors > 0, "\(output)")
        #expect(database.answered <= 5, "\(output)")
    }

    @Test func `what is written is new soon after its commit`() async throws {
        let (report, output) = try await bench(["writes", "--duration", "2", "--write-rate", "50"])
        let writes = try #require(try way(.sidecar, .writes, report).writes)
        #expect(writes.writes > 10 && writes.unseen == 0, "\(output)")
        #expect(writes.commitToNew.count == writes.writes)
        #expect(report?.scenarios.first?.ways.map(\.way) == [.sidecar])
    }

    @Test func `the search for the highest rate ends, and measures at what it found`() async throws {
        let (report, output) = try await bench([
            "hits", "--ways", "sidecar", "--find-limit", "20ms", "--rate", "400", "--duration", "0.5", "--warm-up", "0",
        ])
        let way = try way(.sidecar, .hits, report)
        let limit = try #require(way.limit)
        #expect(limit.bound == 20_000)
        #expect(limit.steps.first?.rate == 400)
        #expect(limit.steps.contains { !$0.isKept })
        #expect(limit.rate == limit.steps.filter(\.isKept).map(\.rate).max() ?? 0, "\(output)")
        #expect(way.lag != nil)
    }

    @Test func `a run that is interrupted leaves nothing behind`() async throws {
        let folder = temporaryPath()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let program = try RunningProgram([pgsidecarPath, "bench", "hits", "--duration", "60"], in: folder)
        #expect(await eventually { program.errors.contains("asks/s") }, "\(program.errors)")
        program.signal(SIGINT)
        _ = await program.end()
        #expect(
            await eventually {
                (try? FileManager.default.contentsOfDirectory(atPath: "\(folder)/run"))?.isEmpty == true
            })
    }

    @Test func `where no rate keeps the bound, the lowest that was tried is measured`() async throws {
        let (report, output) = try await bench([
            "hits", "--ways", "sidecar", "--find-limit", "1us", "--rate", "800", "--duration", "1", "--warm-up", "0",
        ])
        let way = try way(.sidecar, .hits, report)
        #expect(way.limit?.rate == 0 && way.limit?.lowest == 50)
        #expect(output.contains("p99 within 1.00 us was not kept, not even at 50 asks/s"), "\(output)")
        #expect(way.asks.answered + way.asks.errors > 10)
    }

    @Test func `a Redis server is asked first, and the database for what it does not have`() async throws {
        let folder = temporaryPath()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let socket = "\(folder)/redis.sock"
        let redis = try RunningProgram(
            ["/usr/bin/env", "redis-server", "--port", "0", "--unixsocket", socket, "--save", ""], in: folder)
        defer { redis.signal(SIGKILL) }
        #expect(await eventually { (try? TestClient(socket)) != nil }, "\(redis.output)")
        let (report, output) = try await bench(["hits", "herd", "writes", "--redis", socket, "--duration", "2"])
        let hits = try way(.redis, .hits, report)
        #expect(hits.asks.answered > 20 && hits.asks.errors == 0 && hits.asks.missing == 0, "\(output)")
        #expect(hits.database?.queries == 0)
        #expect(report?.run.versions.redis != nil)
        let herd = try #require(try way(.redis, .herd, report).herd)
        #expect(herd.queries ?? 0 >= 4 * 10, "\(output)")
        #expect(try #require(try way(.redis, .writes, report).writes).unseen == 0, "\(output)")
    }

    // MARK: Mistakes

    @Test(arguments: [
        ["flood"], ["--connections", "0"], ["--rate", "0"], ["--duration", "0.1"], ["--find-limit", "1"],
        ["--find-limit", "1ms", "herd"], ["--ways", "memcached"], ["--ways", "redis"], ["--group", "word"],
        ["--config", "x.yaml", "--keys-query", "select 1", "--keys-file", "x"], ["writes", "--write-sql", "select 1"],
    ])
    func `options that make no sense are refused as usage`(_ options: [String]) async throws {
        let folder = temporaryPath()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let program = try RunningProgram([pgsidecarPath, "bench"] + options, in: folder)
        #expect(await program.end() == .code(64), "\(program.errors)")
    }

    @Test func `what it can't do to somebody's database, and a sidecar that is not there, are told`() async throws {
        let database = try await TestDatabase.shared()
        try await withSidecar(settings(database)) { sidecar in
            let (outage, _, words) = try await run(["outage"] + options(sidecar))
            #expect(outage == .code(64))
            #expect(words.contains("only for a run with a private one"), "\(words)")
            let (keys, _, keyWords) = try await run(["hits", "--config", "\(sidecar.folder)/pgsidecar.yaml"])
            #expect(keys == .code(64))
            #expect(keyWords.contains("say --keys-query or --keys-file"), "\(keyWords)")
            let (absent, _, absentWords) = try await run(["hits", "--socket", "/nowhere"] + options(sidecar))
            #expect(absent == .code(69))
            #expect(absentWords.contains("no sidecar answers at /nowhere"), "\(absentWords)")
        }
    }
}
