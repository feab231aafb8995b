public import ArgumentParser
import Glibc
public import LoadTest
import Machine
import PrivateDatabase
import SidecarApp

/// `pgsidecar bench`
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Load-test a sidecar, and in the same run the database without it and a Redis server beside it.",
        discussion: """
            Without --config it brings a PostgreSQL with pgbench's tables and a sidecar of its own, below run/, and needs \
            nothing else. With --config it asks the sidecar that runs with these settings, and its database, for keys of one \
            of its groups: those of --keys-query or --keys-file, else those of the table that the group depends on. There \
            `mixed` begins by PGS.FLUSH of the group and `herd` drops its hot keys by DEL; rows are only read, unless --write-sql says \
            how a key's row is changed, and its value with it.

            Scenarios:
              hits     every key is in memory
              mixed    a cold start, and keys by Zipf's law (--skew)
              herd     a few hot keys (--hot-keys) go from memory while everybody asks for them
              writes   rows change (--write-rate); when is the new value answered? Private, or with --write-sql
              outage   the database is killed and comes back. Private only

            Ways: `sidecar` through its socket; `database` by libpq, prepared, a query for each ask; `redis` cache-aside: \
            GET, and on nil the same SQL and SET.

            Without --rate each connection asks again as soon as it is answered (a closed loop), which shows how much goes \
            through. With --rate asks come by a schedule, whether or not the ones before are answered, and a latency runs from \
            the scheduled time: that is what users feel. `lag` is what the generator itself adds.

            Exit codes: 0 it was measured, 64 wrong usage, 69 a server can't be reached, 78 wrong settings, 1 anything else.

            Examples:
              pgsidecar bench                                     about a minute, all of it
              pgsidecar bench hits --rate 20000 --duration 30
              pgsidecar bench hits --find-limit 1ms               the highest rate whose p99 is within 1 ms
              pgsidecar bench herd --redis /run/redis/redis.sock
              pgsidecar bench mixed --config pgsidecar.yaml --group account --keys-query 'select id from account'
              pgsidecar bench writes --config pgsidecar.yaml --write-sql 'update account set visits = visits + 1 where id = $1'
              pgsidecar bench --redis /run/redis/redis.sock --html report.html
              pgsidecar bench hits --connections 50 --pipeline 16 --json report.json
            """
    )

    @Argument(help: "What is done; all that is possible when none is named.")
    var scenarios: [Scenario] = []

    @Option(help: ArgumentHelp("The settings of a sidecar that runs.", valueName: "file"))
    var config: String?
    @Option(help: ArgumentHelp("Its socket, if it is not that of the settings.", valueName: "path"))
    var socket: String?
    @Option(help: ArgumentHelp("The group to ask for (default: the first whose keys are known).", valueName: "name"))
    var group: String?
    @Option(help: ArgumentHelp("A query for the keys, whose columns are the key's parts.", valueName: "sql"))
    var keysQuery: String?
    @Option(help: ArgumentHelp("A file with a key a line.", valueName: "file"))
    var keysFile: String?

    @Option(
        help: ArgumentHelp("Changes the row of a key, whose parts are $1, $2, ...: for writes.", valueName: "sql"))
    var writeSql: String?

    @Option(help: ArgumentHelp("Who is asked, by commas: sidecar, database, redis (default: all).", valueName: "names"))
    var ways: String?
    @Option(help: ArgumentHelp("The socket of a Redis server to compare with.", valueName: "path"))
    var redis: String?
    @Option(help: ArgumentHelp("What a value lives for in Redis.", valueName: "seconds"))
    var redisTtl = 60

    @Option(help: ArgumentHelp("Asks a second, by a schedule (default: a closed loop).", valueName: "number"))
    var rate: Double?
    @Option(help: ArgumentHelp("Find the highest rate whose p99 is within this, such as 1ms.", valueName: "time"))
    var findLimit: Milliseconds?
    @Option(help: "Connections of each way.")
    var connections = 50
    @Option(help: "Requests on their way on a connection at most.")
    var pipeline = 1
    @Option(help: "Keys in a request: MGET when more than one.")
    var width = 1
    @Option(help: ArgumentHelp("How long each way is measured in each scenario.", valueName: "seconds"))
    var duration = 5.0
    @Option(help: ArgumentHelp("How long it is asked before that.", valueName: "seconds"))
    var warmUp = 1.0
    @Option(help: "How many keys are asked for, at most.")
    var keys = 100_000
    @Option(help: "Zipf's exponent in mixed; 0: each key as likely as any other.")
    var skew = 0.99
    @Option(help: "Keys that everybody asks for in herd.")
    var hotKeys = 10
    @Option(help: "Rows written a second in writes.")
    var writeRate = 100.0
    @Option(help: "Threads of the generator (default: one for every two cores, at most four).")
    var threads = 0
    @Option(help: "What all that is drawn by lot comes from.")
    var seed: UInt64 = 1

    @Option(
        help: ArgumentHelp("Write the report as JSON; - for standard output, instead of the tables.", valueName: "file")
    )
    var json: String?
    @Option(help: ArgumentHelp("Write the report as a page with plots, which needs nothing else.", valueName: "file"))
    var html: String?

    func validate() throws {
        let isInRange =
            (1...10_000).contains(connections) && (1...10_000).contains(pipeline) && (1...1000).contains(width)
            && (0...64).contains(threads)
        guard isInRange else {
            throw ValidationError(
                "connections and pipeline are 1 to 10000, width 1 to 1000, threads 0 to 64")
        }
        guard (0.5...86_400).contains(duration), (0...3600).contains(warmUp) else {
            throw ValidationError("duration is 0.5 to 86400 seconds, warm-up 0 to 3600")
        }
        guard (1...10_000_000).contains(keys), (1...10_000).contains(hotKeys), (0...5).contains(skew) else {
            throw ValidationError("keys are 1 to 10000000, hot keys 1 to 10000, skew is 0 to 5")
        }
        if let rate, !(1...10_000_000).contains(rate) { throw ValidationError("rate is 1 to 10000000 asks a second") }
        guard (0.1...100_000).contains(writeRate) else { throw ValidationError("write-rate is 0.1 to 100000") }
        guard (1...86_400).contains(redisTtl) else { throw ValidationError("redis-ttl is 1 to 86400 seconds") }
        if findLimit != nil, scenarios.contains(where: { $0 != .hits && $0 != .mixed }) {
            throw ValidationError("--find-limit goes with the scenarios hits and mixed")
        }
        if config == nil, [socket, group, keysQuery, keysFile, writeSql].contains(where: { $0 != nil }) {
            throw ValidationError("--socket, --group, --keys-query, --keys-file and --write-sql go with --config")
        }
        if keysQuery != nil, keysFile != nil {
            throw ValidationError("keys come from --keys-query or from --keys-file")
        }
        let wanted = try wantedWays
        if wanted?.contains(.redis) == true, redis == nil {
            throw ValidationError("the way 'redis' needs the socket of a Redis server, by --redis")
        }
    }

    func run() async throws {
        try await reportingErrors {
            for path in [json, html] { try path.map(checkReport) }
            // What is shown on the way does not mix with a report on standard output.
            let report = try await Bench(options, subject: subject, version: Sidecar.version)
                .run(in: "run/bench-\(getpid())") { show($0, on: STDERR_FILENO) }
            if json != "-" { show(report.text) }
            if let json { try write(try report.json(), to: json) }
            if let html { try write(try report.html(), to: html) }
        }
    }

    private var wantedWays: [Way]? {
        get throws {
            try ways?.split(separator: ",").map { name in
                guard let way = Way(rawValue: String(name)) else {
                    throw ValidationError("there is no way '\(name)'; the ways are sidecar, database and redis")
                }
                return way
            }
        }
    }

    private var options: Bench.Options {
        get throws {
            var options = Bench.Options()
            // In the order in which they disturb one another least.
            let limited: [Scenario]? = findLimit == nil ? nil : [.hits, .mixed]
            options.scenarios = scenarios.isEmpty ? limited : Scenario.allCases.filter(scenarios.contains)
            options.ways = try wantedWays
            (options.rate, options.limit, options.redis) = (rate, findLimit?.duration, redis)
            (options.connections, options.pipeline, options.width) = (connections, pipeline, width)
            (options.duration, options.warmUp) = (.seconds(duration), .seconds(warmUp))
            (options.keys, options.skew, options.hotKeys) = (keys, skew, hotKeys)
            (options.writeRate, options.redisTimeToLive) = (writeRate, redisTtl)
            (options.threads, options.seed) = (threads, seed)
            options.arguments = Array(CommandLine.arguments.dropFirst())
            return options
        }
    }

    private var subject: Bench.Subject? {
        get throws {
            guard let config else { return nil }
            let settings = try ConfigOption.load(config)
            return try Bench.Subject(
                settings, socket: socket, group: group,
                keys: keysQuery.map { .query($0) } ?? keysFile.map { .file($0) }, writeSQL: writeSql)
        }
    }

    /// Whether the report can be written there, before it is measured for minutes.
    private func checkReport(_ path: String) throws {
        guard path != "-" else { return }
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
        guard access(Folder.exists(path) ? path : folder, W_OK) == 0 else { throw cannotWrite(path) }
    }

    private func write(_ text: String, to path: String) throws {
        if path == "-" { return show(text) }
        // Whatever is at the path is written to, be it a pipe or a device.
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard file >= 0 else { throw cannotWrite(path) }
        defer { close(file) }
        guard writeAll(Array((text + "\n").utf8), to: file) else { throw cannotWrite(path) }
    }

    private func cannotWrite(_ path: String) -> BenchError {
        BenchError(.unsuitable, "can't write the report to \(path): \(String(cString: strerror(errno)))")
    }
}

extension Scenario: ExpressibleByArgument {}

/// A time on the command line: `500us`, `1ms`, `2s`.
struct Milliseconds: ExpressibleByArgument {
    let duration: Duration

    init?(argument: String) {
        let digits = argument.prefix { $0.isNumber || $0 == "." }
        guard let number = Double(digits), number > 0, number <= 1e9 else { return nil }
        switch argument.dropFirst(digits.count) {
        case "us": duration = .microseconds(number)
        case "ms": duration = .milliseconds(number)
        case "s": duration = .seconds(number)
        default: return nil
        }
    }
}
