import Groundwork
import Histogram
import Postgres

/// One way in one scenario.
struct WayRun: Sendable {
    let scenario: ScenarioRun
    let route: Route
    /// As the way calls them.
    let keys: KeySet

    private var options: Bench.Options { scenario.options }
    private var watch: DatabaseWatch { scenario.ground.watch }

    init(_ scenario: ScenarioRun, _ route: Route) {
        (self.scenario, self.route) = (scenario, route)
        let asked = scenario.group.keys
        keys =
            switch route {
            case .sidecar, .database: asked
            case .redis: asked.withPrefix(Ground.redisPrefix + asked.prefix)
            }
    }

    /// Prepares the way and measures it.
    func run() async throws -> WayReport {
        try await prepare()
        var rate = scenario.rate
        var limit: LimitReport?
        if let bound = options.limit, scenario.scenario == .hits || scenario.scenario == .mixed {
            limit = try await LimitSearch(self, bound: bound).run()
            rate = limit.map { max(1, $0.rate) }
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
            case .sidecar(let socket):
                var connection = try BlockingConnection(socket)
                _ = try connection.ask(["PGS.FLUSH", scenario.group.name])
            case .redis(let redis):
                var connection = try BlockingConnection(redis.socket)
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
        let plan = LoadPlan(
            rate: nil, pipeline: 16, width: 1, keys: keys, draw: KeyDraw(inOrderAmong: 0, from: 0, step: 1),
            seed: options.seed, meter: Meter())
        let generator = try await Generator.connect(
            plan, by: route, connections: min(8, options.connections), threads: 1
        ) { index, count in KeyDraw(inOrderAmong: keys.count, from: index, step: count) }
        let now = Instant.now().nanoseconds
        let end = now + 600_000_000_000
        let counts = await generator.run(
            LoadTimes(begin: now, start: now, end: end, deadline: end, intervalCount: 1)).counts
        guard counts.errors == 0 else {
            throw BenchError(
                .unsuitable,
                "\(route.way): of \(keys.count) keys \(counts.errors) got an error: \(counts.firstError ?? "")")
        }
    }

    var name: String { "\(scenario.scenario) by \(route.way)" }

    // MARK: Measuring

    /// Asks, unobserved but by the generator itself.
    ///
    /// - Parameter during: Runs meanwhile, with the times.
    func ask<Side: Sendable>(
        rate: Double?, duration: Duration, warmUp: Duration, meter: Meter = Meter(),
        during: @escaping @Sendable (LoadTimes) async throws -> Side
    ) async throws -> (recorder: Recorder, times: LoadTimes, side: Side) {
        let plan = LoadPlan(
            rate: rate, pipeline: options.pipeline, width: options.width, keys: keys,
            draw: KeyDraw(among: keys.count, skew: scenario.skew, seed: options.seed), seed: options.seed, meter: meter)
        let generator = try await Generator.connect(
            plan, by: route, connections: options.connections, threads: scenario.threads
        ) { index, _ in
            KeyDraw(among: keys.count, skew: scenario.skew, seed: options.seed &+ 7919 &* UInt64(index))
        }
        let times = LoadTimes(duration: duration, warmUp: warmUp)
        async let side = during(times)
        let recorder = await generator.run(times)
        return (recorder, times, try await side)
    }

    private func measure(rate: Double?) async throws -> WayReport {
        let meter = Meter()
        let (recorder, times, seen) = try await ask(
            rate: rate, duration: options.duration, warmUp: scenario.warmUp, meter: meter
        ) { times in try await observe(times, meter) }
        var report = WayReport(
            way: route.way, asks: recorder.counts, latency: LatencySummary(recorder.latency),
            lag: rate == nil ? nil : LatencySummary(recorder.lag), series: series(recorder, times, seen.looks),
            serverProcessorSeconds: seen.server, generatorProcessorSeconds: seen.generator)
        report.database = DatabaseView(
            source: watch.source, queries: seen.looks.queries(from: times.start, to: times.end) ?? 0,
            peakActiveSessions: seen.looks.peakSessions, processorSeconds: seen.database)
        switch seen.event {
        case .none: break
        case .expirations(let expirations): report.herd = herd(report, recorder, expirations, seen.looks, times)
        case .writes(let writes): report.writes = writes
        case .outage(let from, let to): report.outage = outage(recorder, from: from, to: to)
        }
        report.warnings = warnings(report, rate)
        return report
    }

    private func series(_ recorder: Recorder, _ times: LoadTimes, _ looks: [DatabaseWatch.Look]) -> [SeriesPoint] {
        let seconds = Double(recorder.step) / 1e9
        return recorder.intervals.enumerated().map { index, interval in
            let begin = times.start + Int64(index) * recorder.step
            let latency = LatencySummary(interval.latency, hasCurve: false)
            return SeriesPoint(
                at: Double(index) * seconds, asksPerSecond: Double(interval.answered) / seconds,
                errorsPerSecond: Double(interval.errors) / seconds,
                queriesPerSecond: looks.queriesPerSecond(from: begin, to: begin + recorder.step),
                activeSessions: looks.sessions(at: begin), p50: latency.p50, p99: latency.p99, max: latency.max)
        }
    }

    private func herd(
        _ report: WayReport, _ recorder: Recorder, _ expirations: Expirations.Outcome, _ looks: [DatabaseWatch.Look],
        _ times: LoadTimes
    ) -> HerdReport {
        HerdReport(
            hotKeys: keys.count, expirations: expirations.count, asks: report.asks.answered,
            queries: looks.queries(from: times.start, to: times.end),
            mostQueriesAtOnce: expirations.mostQueries, longestWait: Double(recorder.latency.maxRecorded) / 1000)
    }

    private func outage(_ recorder: Recorder, from: Int64, to: Int64) -> OutageReport {
        func begin(_ index: Int) -> Int64 { recorder.start + Int64(index) * recorder.step }
        var report = OutageReport(
            from: Double(from - recorder.start) / 1e9, to: Double(to - recorder.start) / 1e9, answered: 0, errors: 0)
        for (index, interval) in recorder.intervals.enumerated() where begin(index) >= from && begin(index + 1) <= to {
            report.answered += interval.answered
            report.errors += interval.errors
        }
        let healthy = recorder.intervals.indices.first {
            begin($0 + 1) > to && recorder.intervals[$0].errors == 0 && recorder.intervals[$0].answered > 0
        }
        report.recoverySeconds = healthy.map { max(0, Double(begin($0) - to) / 1e9) }
        return report
    }

    private func warnings(_ report: WayReport, _ rate: Double?) -> [String] {
        var warnings: [String] = []
        if report.asks.errors > 0, scenario.scenario != .outage {
            warnings.append("\(report.asks.errors.grouped) asks got an error, first: \(report.asks.firstError ?? "")")
        }
        if let lag = report.lag, lag.p99 > max(50, report.latency.p99 / 10) {
            warnings.append(
                "the generator sent one ask in a hundred more than \(Figures.time(lag.p99)) late: it measured itself, too; "
                    + "ask less a second, or give it a core of its own")
        }
        let busy = report.generatorProcessorSeconds / (report.asks.seconds * Double(scenario.threads))
        if rate == nil, busy > 0.95 {
            warnings.append(
                "the generator had no time left (\(Int(busy * 100)) % of \(scenario.threads) "
                    + "\(scenario.threads == 1 ? "thread" : "threads")): the way may be faster; try --threads")
        }
        return warnings
    }
}

extension LoadTimes {
    /// From a moment from now on.
    init(duration: Duration, warmUp: Duration) {
        begin = Instant.now().nanoseconds + 20_000_000
        start = begin + warmUp.wholeNanoseconds
        end = start + duration.wholeNanoseconds
        deadline = end + min(5_000_000_000, max(1_000_000_000, duration.wholeNanoseconds))
        intervalCount = max(10, min(50, Int(duration.seconds * 10)))
    }
}
