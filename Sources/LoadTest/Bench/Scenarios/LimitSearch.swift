import Groundwork

/// Raises the rate until p99 passes a bound, and closes in on where that was.
struct LimitSearch: Sendable {
    private let way: WayRun
    private let bound: Double

    /// More than any machine does.
    private static let highest = 10_000_000.0
    private static let refinements = 4

    init(_ way: WayRun, bound: Duration) {
        self.way = way
        self.bound = Double(bound.wholeNanoseconds) / 1000
    }

    func run() async throws -> LimitReport {
        var report = LimitReport(bound: bound, rate: 0, isGeneratorsLimit: false, steps: [])
        var rate = way.scenario.options.rate ?? 1000
        var failed: Double?
        while failed == nil, rate <= Self.highest {
            let step = try await attempt(rate, &report)
            if step.isKept { rate *= 2 } else { failed = rate }
        }
        for _ in 0..<Self.refinements {
            guard let bad = failed else { break }
            let step = try await attempt((report.rate + bad) / 2, &report)
            if !step.isKept { failed = step.rate }
        }
        return report
    }

    private func attempt(_ rate: Double, _ report: inout LimitReport) async throws -> LimitReport.Step {
        let duration = min(way.scenario.options.duration, .seconds(2))
        let (recorder, _, _) = try await way.ask(
            rate: rate, duration: duration, warmUp: .milliseconds(300)
        ) { _ in }
        let latency = LatencySummary(recorder.latency, hasCurve: false)
        let lag = LatencySummary(recorder.lag, hasCurve: false)
        let answered = recorder.counts.perSecond
        let step = LimitReport.Step(
            rate: rate, answered: answered, p50: latency.p50, p99: latency.p99, lagP99: lag.p99,
            // A Poisson process of few asks is not as many as it is on the average.
            isKept: latency.p99 <= bound && answered >= 0.9 * rate && recorder.counts.errors == 0)
        report.steps.append(step)
        if step.isKept { report.rate = max(report.rate, rate) } else { report.isGeneratorsLimit = lag.p99 > bound / 2 }
        way.scenario.tell(
            "\(way.name): \(Figures.short(rate.rounded())) asks/s: p99 \(Figures.time(latency.p99)), "
                + (step.isKept ? "kept" : "too long"))
        return step
    }
}
