extension BenchReport {
    /// The report for a terminal.
    public var text: String {
        (heading + scenarios.flatMap { [""] + $0.lines }).joined(separator: "\n")
    }

    private var heading: [String] {
        let servers = [
            "pgsidecar \(run.versions.pgsidecar)", run.versions.postgres.map { "PostgreSQL \($0)" },
            run.versions.redis.map { "Redis \($0)" },
        ]
        let cores = "\(run.machine.cores) \(run.machine.cores == 1 ? "core" : "cores")"
        return [
            "\(run.started)  \(cores), \(run.machine.processor)",
            "\(servers.compactMap { $0 }.joined(separator: ", ")); \(run.subject)",
        ]
    }
}

extension ScenarioReport {
    /// For a terminal.
    var lines: [String] {
        var lines = ["\(scenario.rawValue): \(summary)", "  \(load.text)", ""]
        lines += table.map { "  \($0)" }
        for findings in [limits, herds, writes, outages, warnings] where !findings.isEmpty {
            lines += [""] + findings.map { "  \($0)" }
        }
        return lines
    }

    private var table: [String] {
        let hasLag = ways.contains { $0.lag != nil }
        var table = TextTable(
            ["", "asks/s", "p50", "p90", "p99", "p99.9", "p99.99", "max", "errors", "queries/s", "sessions", "cpu/ask"]
                + (hasLag ? ["lag p99"] : []))
        for way in ways {
            let latency = way.latency
            let times = [latency.p50, latency.p90, latency.p99, latency.p999, latency.p9999, latency.max]
            let queries = way.database.map {
                Int(Double($0.queries) / max(way.asks.seconds, 0.001)).grouped
                    + ($0.source == .transactions ? " tx" : "")
            }
            table.append(
                [way.way.rawValue, Int(way.asks.perSecond).grouped] + times.map { Figures.time($0) }
                    + [
                        way.asks.errors.grouped, queries ?? "-",
                        way.database.map { "\($0.peakActiveSessions)" } ?? "-",
                        way.processorPerAsk.map { Figures.time($0) } ?? "-",
                    ] + (hasLag ? [way.lag.map { Figures.time($0.p99) } ?? "-"] : []))
        }
        return table.lines
    }

    private var limits: [String] {
        ways.compactMap { way in
            way.limit.map { limit in
                let bound = "p99 within \(Figures.time(limit.bound))"
                guard limit.rate > 0 else {
                    return "\(way.way): \(bound) was not kept, not even at \(Int(limit.lowest).grouped) asks/s"
                }
                return "\(way.way): \(bound) up to \(Int(limit.rate).grouped) asks/s"
                    + (limit.isGeneratorsLimit ? ", where the generator was the limit" : "")
            }
        }
    }

    private var herds: [String] {
        ways.compactMap { way in
            way.herd.map { herd in
                let most = herd.mostQueriesAtOnce.map { ", at most \($0.grouped) for one expiration" } ?? ""
                let queries = herd.queries.map { "\($0.grouped) queries" } ?? "unknown queries"
                return "\(way.way): \(herd.asks.grouped) asks, \(queries) (\(herd.hotKeys) keys went "
                    + "\(herd.expirations) times\(most)), longest wait \(Figures.time(herd.longestWait))"
            }
        }
    }

    private var writes: [String] {
        ways.compactMap { way in
            way.writes.map { writes in
                let new = writes.seen.map { seen in
                    "new after the commit within \(Figures.time(seen.p50)) (half), \(Figures.time(seen.p99)) (99 %), "
                        + "\(Figures.time(seen.max)) (all); "
                }
                return "\(way.way): \(writes.writes.grouped) rows written; " + (new ?? "")
                    + (writes.unseen > 0 ? "\(writes.unseen) not within \(Figures.short(writes.patience)) s; " : "")
                    + "told by \(writes.toldBy)"
            }
        }
    }

    private var outages: [String] {
        ways.compactMap { way in
            way.outage.map { outage in
                let recovery = outage.recoverySeconds.map {
                    "without an error \(Figures.fixed($0, 1)) s after it was back"
                }
                return "\(way.way): in the \(Figures.fixed(outage.to - outage.from, 1)) s without the database "
                    + "\(outage.answered.grouped) asks were answered and \(outage.errors.grouped) got an error; "
                    + (recovery ?? "errors to the end")
            }
        }
    }

    private var warnings: [String] {
        ways.flatMap { way in way.warnings.map { "note on \(way.way): \($0)" } }
    }
}

extension LoadDescription {
    /// In a line.
    var text: String {
        let shape = width == 1 ? "GET" : "MGET of \(width)"
        let ask = pipeline == 1 ? "\(shape) one by one" : "\(shape), up to \(pipeline) at a time"
        let loop = rate.map { "\(Int($0).grouped) asks/s by a schedule" } ?? "each asks again when answered"
        let draw = skew > 0 ? ", Zipf \(Figures.short(skew))" : ""
        return "\(connections) connections, \(ask); \(loop); \(keys.grouped) keys of '\(group)'\(draw); "
            + "\(Figures.short(duration)) s after \(Figures.short(warmUp)) s of warm-up"
    }
}
