import Glibc
public import Groundwork
public import Postgres
import PrivateDatabase

/// `pgsidecar bench`: asks a sidecar, and beside it the database and a Redis server, and tells what each of them gave.
public struct Bench: Sendable {
    /// How it is asked.
    public struct Options: Sendable {
        /// What is done, in the order of the cases; nil: all that the subject allows.
        public var scenarios: [Scenario]?
        /// Who is asked; nil: all that are there.
        public var ways: [Way]?
        /// Asks a second in an open loop; nil: a closed loop.
        public var rate: Double?
        /// Connections of each way.
        public var connections = 50
        /// Requests on their way on a connection at most.
        public var pipeline = 1
        /// Keys in a request.
        public var width = 1
        /// The measured time of each way in each scenario, and what is asked before.
        public var duration: Duration = .seconds(5)
        /// Asked before that and not measured.
        public var warmUp: Duration = .seconds(1)
        /// How many keys are taken.
        public var keys = 100_000
        /// Zipf's exponent in `mixed`.
        public var skew = 0.99
        /// Keys that everybody asks for in `herd`.
        public var hotKeys = 10
        /// Rows written a second in `writes`.
        public var writeRate = 100.0
        /// What a value lives for in Redis, in seconds.
        public var redisTimeToLive = 60
        /// The Redis server's socket; nil: there is none.
        public var redis: String?
        /// Loops of the generator; 0: one for every two cores, at most four.
        public var threads = 0
        /// What p99 may be at the highest rate, which is searched for; nil: it is not.
        public var limit: Duration?
        /// What all that is drawn by lot comes from.
        public var seed: UInt64 = 1
        /// The command line, for the report.
        public var arguments: [String] = []

        /// The defaults.
        public init() {}
    }

    /// A sidecar that runs, and what it is asked for.
    public struct Subject: Sendable {
        /// The sidecar's socket.
        public var socket: String
        /// What the sidecar asks for by `AUTH`; nil: nothing.
        public var password: Secret?
        /// Its database.
        public var database: DatabaseSettings
        /// The group that is asked for.
        public var group: String
        /// The group's query.
        public var sql: String
        /// What a value holds of its result.
        public var returns: QueryGetter.Returns
        /// Where keys come from.
        public var keys: KeySource
        /// Changes the row of a key, whose parts are its parameters, in `writes`; nil: nothing is written.
        public var writeSQL: String?

        /// Where keys come from.
        public enum KeySource: Sendable {
            /// A query whose columns are the key's parts.
            case query(String)
            /// A file with a key a line, with the group's name or without it.
            case file(String)
        }

        /// A sidecar's group.
        public init(
            socket: String, password: Secret? = nil, database: DatabaseSettings, group: String, sql: String,
            returns: QueryGetter.Returns, keys: KeySource, writeSQL: String? = nil
        ) {
            (self.socket, self.password, self.database, self.group) = (socket, password, database, group)
            (self.sql, self.returns, self.keys, self.writeSQL) = (sql, returns, keys, writeSQL)
        }
    }

    private let options: Options
    private let subject: Subject?
    private let version: String

    /// Prepares a run.
    ///
    /// - Parameters:
    ///   - subject: What is asked; nil: a sidecar and a PostgreSQL of the run's own.
    ///   - version: This program's, for the report.
    public init(_ options: Options, subject: Subject?, version: String) {
        (self.options, self.subject, self.version) = (options, subject, version)
    }

    /// Carries it out.
    ///
    /// - Parameters:
    ///   - folder: A folder to make for what is private, which is removed at the end.
    ///   - tell: Shows how far it is.
    /// - Throws: `BenchError`, or another one of what could not be started.
    public func run(in folder: String, tell: @escaping @Sendable (String) -> Void) async throws -> BenchReport {
        // A server that went away is an error of the call that writes to it, not a signal.
        signal(SIGPIPE, SIG_IGN)
        let begin = Instant.now()
        var report: BenchReport
        if let subject {
            let testbed = try Testbed(of: subject, options)
            report = try await measure(testbed, tell)
        } else {
            tell("starting a private PostgreSQL with pgbench's tables, and a sidecar, below \(folder) ...")
            let testbed = try await PrivateTestbed(in: folder, options)
            do {
                report = try await measure(try testbed.testbed, tell, testbed.postgres)
            } catch {
                await testbed.remove()
                throw error
            }
            await testbed.remove()
        }
        report.run.seconds = Double((Instant.now() - begin).wholeNanoseconds) / 1e9
        return report
    }

    private func measure(
        _ testbed: Testbed, _ tell: @escaping @Sendable (String) -> Void, _ postgres: PrivatePostgres? = nil
    ) async throws -> BenchReport {
        let description = RunDescription(
            started: RunDescription.timeOfDay, arguments: options.arguments, machine: .this,
            versions: .init(
                pgsidecar: version, postgres: testbed.watch.serverVersion,
                redis: options.redis.flatMap { ServerFacts(of: ServerAddress($0))?.version }),
            subject: testbed.description)
        var report = BenchReport(run: description)
        func obstacle(_ scenario: Scenario) -> String? {
            scenario.obstacle(ownsDatabase: postgres != nil, mayWrite: testbed.write != nil)
        }
        for scenario in options.scenarios ?? Scenario.allCases.filter({ obstacle($0) == nil }) {
            if let obstacle = obstacle(scenario) {
                throw BenchError(.unsuitable, "the scenario '\(scenario)' \(obstacle)")
            }
            let run = ScenarioRun(scenario, options, testbed, postgres, tell)
            report.scenarios.append(try await run.run())
        }
        return report
    }
}

extension Scenario {
    /// Why it can't be done to what is there; nil when it can.
    func obstacle(ownsDatabase: Bool, mayWrite: Bool) -> String? {
        switch self {
        case .hits, .mixed, .herd: nil
        case .writes:
            mayWrite
                ? nil : "writes to the database: say by --write-sql how a key's row is changed, or leave out --config"
        case .outage:
            ownsDatabase ? nil : "ends the database, so it is only for a run with a private one (without --config)"
        }
    }

    /// What happens in it, in a sentence.
    var summary: String {
        switch self {
        case .hits: "Every key was asked for before."
        case .mixed: "From a cold start; some keys are asked for more often than others (Zipf)."
        case .herd: "Hot keys go from memory again and again while everybody asks for them."
        case .writes: "Rows change meanwhile."
        case .outage: "The database goes away for a third of the time, and comes back."
        }
    }
}
