import Groundwork
import Machine
import Postgres
import PrivateDatabase

extension WayRun {
    /// What was seen of a way from outside, and what was done to it.
    struct Seen: Sendable {
        var looks: [DatabaseWatch.Look]
        /// Processor seconds in the measured time.
        var server: Double?
        var database: Double?
        var generator: Double
        var event: Event
    }

    /// What a scenario does meanwhile.
    enum Event: Sendable {
        case none
        case expirations(Expirations.Outcome)
        case writes(WritesReport)
        case outage(from: Int64, to: Int64)
    }

    /// Looks at everything while the generator asks, and has happen what the scenario wants.
    func observe(_ times: RunTimes, _ meter: Meter) async throws -> Seen {
        let watch = scenario.testbed.watch
        let server: ServerFacts? =
            switch route {
            case .sidecar(let server): ServerFacts(of: server)
            case .database: nil
            case .redis(let redis): ServerFacts(of: redis.server)
            }
        // A look takes a millisecond of the server's time.
        watch.start(from: times.start, until: times.end, step: max(100_000_000, (times.end - times.start) / 50))
        async let event = cause(times)
        async let shown: Void = showProgress(times, meter)
        try await Instant(nanoseconds: times.start).sleep()
        let before = (server?.processorSeconds, watch.processorSeconds, ProcessFigures.processorSeconds)
        try await Instant(nanoseconds: times.end).sleep()
        let after = (server?.processorSeconds, watch.processorSeconds, ProcessFigures.processorSeconds)
        func difference(_ after: Double?, _ before: Double?) -> Double? {
            // A server that was started anew begins at nothing.
            zip2(after, before).map { $0 >= $1 ? $0 - $1 : $0 }
        }
        let caused = try await event
        await shown
        return Seen(
            looks: await watch.stop(), server: difference(after.0, before.0), database: difference(after.1, before.1),
            generator: after.2 - before.2, event: caused)
    }

    private func zip2(_ first: Double?, _ second: Double?) -> (Double, Double)? {
        guard let first, let second else { return nil }
        return (first, second)
    }

    private func cause(_ times: RunTimes) async throws -> Event {
        switch scenario.scenario {
        case .hits, .mixed: return .none
        case .herd:
            return .expirations(
                try await Expirations(route, keys, scenario.testbed.watch).run(times))
        case .writes:
            return .writes(try await WriteProbes(self).run(times))
        case .outage:
            guard let postgres = scenario.postgres else { return .none }
            let third = (times.end - times.start) / 3
            try await Instant(nanoseconds: times.start + third).sleep()
            let from = Instant.now().nanoseconds
            await postgres.kill()
            try await Instant(nanoseconds: times.start + 2 * third).sleep()
            try await postgres.start()
            return .outage(from: from, to: Instant.now().nanoseconds)
        }
    }

    /// A line for each second.
    private func showProgress(_ times: RunTimes, _ meter: Meter) async {
        let seconds = Double(times.end - times.begin) / 1e9
        var last = 0
        var next = times.begin + 1_000_000_000
        while next < times.end {
            try? await Instant(nanoseconds: next).sleep()
            let (answered, errors) = (meter.answered, meter.errors)
            let at = Int((Double(next - times.begin) / 1e9).rounded())
            scenario.tell(
                "\(name): \(at) s of \(Figures.short(seconds)) s, \((answered - last).grouped) asks/s"
                    + (errors > 0 ? ", \(errors.grouped) errors" : ""))
            last = answered
            next += 1_000_000_000
        }
    }
}

extension Instant {
    /// Returns then, or at once when that has passed.
    func sleep() async throws {
        let left = self - Instant.now()
        if left > .zero { try await Task.sleep(for: left) }
    }
}
