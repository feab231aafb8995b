import Groundwork
import Postgres

/// One way in one scenario.
struct WayRun: Sendable {
    let scenario: ScenarioRun
    let route: Route
    /// As the way calls them.
    let keys: KeySet

    var options: Bench.Options { scenario.options }
    var watch: DatabaseWatch { scenario.testbed.watch }

    init(_ scenario: ScenarioRun, _ route: Route) {
        (self.scenario, self.route) = (scenario, route)
        let asked = scenario.group.keys
        keys =
            switch route {
            case .sidecar, .database: asked
            case .redis: asked.withPrefix(Testbed.redisPrefix + asked.prefix)
            }
    }

    /// Prepares the way and measures it.
    func run() async throws -> WayReport {
        try await prepare()
        var rate = scenario.rate
        var limit: LimitReport?
        if let bound = options.limit, scenario.scenario == .hits || scenario.scenario == .mixed {
            limit = try await LimitSearch(self, bound: bound).run()
            rate = limit.map { $0.rate > 0 ? $0.rate : $0.lowest }
        }
        var report = try await measure(rate: rate)
        report.limit = limit
        return report
    }

    /// Puts the way's cache into the state that the scenario begins in.
    private func prepare() async throws {
        switch scenario.scenario {
        case .mixed: try forget()
        case .hits, .herd, .writes, .outage:
            if case .database = route { return }
            scenario.tell("\(name): asking for each of \(keys.count.grouped) keys once")
            try await askForEachOnce()
        }
    }

    private func forget() throws(BenchError) {
        do throws(ConnectionError) {
            switch route {
            case .database: break
            case .sidecar(let server):
                var connection = try BlockingConnection.connect(to: server)
                if case .error(let text) = try connection.ask(["PGS.FLUSH", scenario.group.name]) {
                    throw ConnectionError("PGS.FLUSH \(scenario.group.name): \(text)")
                }
            case .redis(let redis):
                var connection = try BlockingConnection.connect(to: redis.server)
                for first in stride(from: 0, to: keys.count, by: 1000) {
                    let names = (first..<min(keys.count, first + 1000)).map { keys.text($0) }
                    _ = try connection.ask(["DEL"] + names)
                }
            }
        } catch {
            throw BenchError(.unavailable, "\(route.way): \(error)")
        }
    }

    private func askForEachOnce() async throws {
        let generator = try await Generator.connect(
            by: route, connections: min(8, options.connections), threads: 1
        ) { index, count in
            LoadPlan(
                rate: nil, pipeline: 16, width: 1, keys: keys,
                draw: KeyDraw(inOrderAmong: keys.count, from: index, step: count), seed: options.seed, meter: Meter())
        }
        let now = Instant.now().nanoseconds
        let end = now + 600_000_000_000
        let counts = await generator.run(
            RunTimes(begin: now, start: now, end: end, deadline: end, intervalCount: 1)
        ).counts
        guard counts.errors == 0 else {
            throw BenchError(
                .unsuitable,
                "\(route.way): of \(keys.count) keys \(counts.errors) got an error: \(counts.firstError ?? "")")
        }
    }

    var name: String { "\(scenario.scenario) by \(route.way)" }

    /// Asks, unobserved but by the generator itself.
    ///
    /// - Parameter during: Runs meanwhile, with the times.
    func ask<Side: Sendable>(
        rate: Double?, duration: Duration, warmUp: Duration, meter: Meter = Meter(),
        during: @escaping @Sendable (RunTimes) async throws -> Side
    ) async throws -> (recorder: Recorder, times: RunTimes, side: Side) {
        let draw = KeyDraw(among: keys.count, skew: scenario.skew, seed: options.seed)
        let generator = try await Generator.connect(
            by: route, connections: options.connections, threads: scenario.threads
        ) { index, count in
            LoadPlan(
                rate: rate.map { $0 / Double(count) }, pipeline: options.pipeline, width: options.width, keys: keys,
                draw: draw.seeded(options.seed &+ 1_000_003 &+ UInt64(index)), seed: options.seed &+ UInt64(index),
                meter: meter)
        }
        let times = RunTimes(duration: duration, warmUp: warmUp)
        async let side = during(times)
        let recorder = await generator.run(times)
        return (recorder, times, try await side)
    }
}

extension RunTimes {
    /// From a moment from now on.
    init(duration: Duration, warmUp: Duration) {
        begin = Instant.now().nanoseconds + 20_000_000
        start = begin + warmUp.wholeNanoseconds
        end = start + duration.wholeNanoseconds
        deadline = end + min(5_000_000_000, max(1_000_000_000, duration.wholeNanoseconds))
        intervalCount = max(10, min(50, Int(duration.seconds * 10)))
    }
}
