import Groundwork

extension WayRun {
    /// Asks, looks at everything meanwhile, and sums it up.
    func measure(rate: Double?) async throws -> WayReport {
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

    private func series(_ recorder: Recorder, _ times: RunTimes, _ looks: [DatabaseWatch.Look]) -> [SeriesPoint] {
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
        _ times: RunTimes
    ) -> HerdReport {
        HerdReport(
            hotKeys: keys.count, expirations: expirations.count, asks: report.asks.answered,
            queries: looks.queries(from: times.start, to: times.end),
            mostQueriesAtOnce: expirations.mostQueries, longestWait: report.latency.max)
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
        if report.asks.missing > 0 {
            warnings.append(
                "of \(report.asks.keys.grouped) keys that were asked for \(report.asks.missing.grouped) had no value")
        }
        if let writes = report.writes, writes.unseen > 0, writes.unseen == writes.writes {
            warnings.append(
                "no write was seen in a value: the statement has to change what the group's query shows, in the row that the key "
                    + "names, and the group's invalidate_on has to list the table")
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
