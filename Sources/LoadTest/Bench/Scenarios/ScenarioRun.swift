import Groundwork
import Postgres
import PrivateDatabase

/// One scenario, carried out with each way in turn.
struct ScenarioRun: Sendable {
    let scenario: Scenario
    let options: Bench.Options
    let testbed: Testbed
    /// Of the run's own; nil when it is somebody else's.
    let postgres: PrivatePostgres?
    let tell: @Sendable (String) -> Void

    init(
        _ scenario: Scenario, _ options: Bench.Options, _ testbed: Testbed, _ postgres: PrivatePostgres?,
        _ tell: @escaping @Sendable (String) -> Void
    ) {
        (self.scenario, self.options, self.testbed) = (scenario, options, testbed)
        (self.postgres, self.tell) = (postgres, tell)
    }

    /// Carries it out.
    func run() async throws -> ScenarioReport {
        var report = ScenarioReport(scenario: scenario, summary: scenario.summary, load: load)
        for route in routes {
            report.ways.append(try await WayRun(self, route).run())
        }
        guard !report.ways.isEmpty else {
            throw BenchError(.unsuitable, "none of the ways that were named can be asked in the scenario '\(scenario)'")
        }
        return report
    }

    /// The group that is asked for.
    var group: Testbed.Group { scenario == .herd ? testbed.hotGroup : testbed.group }

    /// Asks a second. What goes away and comes back is asked by a schedule, or a closed loop would fill the time with errors.
    var rate: Double? { options.rate ?? (scenario == .outage ? 2000 : nil) }

    /// What is asked before the measured time. A cold start is part of what `mixed` measures.
    var warmUp: Duration { scenario == .mixed ? .zero : options.warmUp }

    /// Zipf's exponent.
    var skew: Double { scenario == .mixed ? options.skew : 0 }

    var threads: Int {
        let cores = RunDescription.Machine.this.cores
        return options.threads > 0 ? options.threads : max(1, min(4, cores / 2))
    }

    private var load: LoadDescription {
        LoadDescription(
            rate: rate, connections: options.connections, pipeline: options.pipeline, width: options.width,
            duration: options.duration.seconds, warmUp: warmUp.seconds, keys: group.keys.count, skew: skew,
            group: group.name, sql: group.sql, threads: min(threads, options.connections))
    }

    private var routes: [Route] {
        let wanted = options.ways ?? Way.allCases
        return Way.allCases.filter(wanted.contains).compactMap { route(of: $0) }
    }

    private func route(of way: Way) -> Route? {
        func query(_ form: GetterQuery.Form) -> GetterQuery {
            GetterQuery(group.sql, group: group.name, returns: group.returns, form: form)
        }
        switch way {
        case .sidecar: return .sidecar(testbed.server)
        // What is written is new there at once.
        case .database: return scenario == .writes ? nil : .database(testbed.database, query(.plain))
        case .redis:
            return options.redis.map {
                .redis(
                    .init(
                        server: ServerAddress($0), timeToLive: options.redisTimeToLive, database: testbed.database,
                        query: query(.rendered)))
            }
        }
    }
}

extension Duration {
    /// As a number of seconds.
    var seconds: Double { Double(wholeNanoseconds) / 1e9 }
}
