import Pages

extension BenchReport {
    /// The report as one page, which needs nothing from elsewhere.
    public func html() throws -> String {
        let body: HTML = """
            <header>
            <h1>Load test of pgsidecar</h1>
            <p class="quiet">\(run.subject), \(run.started)</p>
            <nav>\(scenarios.map { "<a href=\"#\($0.scenario.rawValue)\">\($0.scenario.rawValue)</a> " as HTML })</nav>
            </header>
            <main>
            \(warnings)
            \(summary)
            \(scenarios.enumerated().map { index, report in report.section(index) })
            \(description)
            </main>
            """
        return ReportPage.html(title: "Load test of pgsidecar, \(run.started)", body: body, json: try json())
    }

    /// Why not to trust the figures, before any of them.
    private var warnings: HTML {
        let all = scenarios.flatMap { report in
            report.ways.flatMap { way in
                way.warnings.map { "<li>\(report.scenario.rawValue), \(way.way.title): \($0)</li>" as HTML }
            }
        }
        guard !all.isEmpty else { return "" }
        return "<section class=\"care\" id=\"warnings\"><h3>Read these figures with care</h3><ul>\(all)</ul></section>"
    }

    /// What matters most of all scenarios, in one table.
    private var summary: HTML {
        let rows = scenarios.flatMap { report in
            report.ways.enumerated().map { index, way in
                """
                <tr>\(index == 0 ? report.heading : "")\(way.heading)\
                \([
                    .cell(number: way.asks.perSecond), .cell(time: way.latency.p50), .cell(time: way.latency.p99),
                    .cell(time: way.latency.max), .cell(count: way.asks.errors),
                    .cell(number: way.queriesPerThousandAsks), .cell(time: way.processorPerAsk),
                ])</tr>
                """ as HTML
            }
        }
        return """
            <h2>In short</h2>
            <section class="card table"><table>
            <thead><tr><th scope="col">scenario<th scope="col" class="text">way<th scope="col">asks/s<th scope="col">p50\
            <th scope="col">p99<th scope="col">longest<th scope="col">errors<th scope="col">queries for 1,000 asks\
            <th scope="col">processor time an ask</tr></thead>
            <tbody>
            \(rows)
            </tbody></table></section>
            """
    }

    /// Where and how it was measured, and what the words mean.
    private var description: HTML {
        let versions = [
            "pgsidecar \(run.versions.pgsidecar)", run.versions.postgres.map { "PostgreSQL \($0)" },
            run.versions.redis.map { "Redis \($0)" },
        ]
        let machine = run.machine
        return """
            <h2>How it was measured</h2>
            <section class="card">
            <dl>
            <dt>command<dd><code>pgsidecar \(run.arguments.joined(separator: " "))</code>
            <dt>began<dd>\(run.started), took \(Figures.onPage(time: run.seconds * 1e6))
            <dt>asked<dd>\(run.subject)
            <dt>versions<dd>\(versions.compactMap { $0 }.joined(separator: ", "))
            <dt>machine<dd>\(machine.processor), \(machine.cores) cores, \(machine.memoryBytes >> 20) MiB, \
            Linux \(machine.kernel)
            </dl>
            </section>
            \(Self.glossary)
            """
    }

    private static let glossary: HTML = """
        <section class="card">
        <dl>
        <dt>ask<dd>A GET, or an MGET of several keys; of the database alone, the query of a key.
        <dt>latency<dd>From when an ask was to be sent until its answer was there. In an open loop that is the schedule's \
        time, so that what waits behind a slow answer counts. p99: 99 of 100 asks were answered within it.
        <dt>queries<dd>What the database ran for the way, as it counts them itself.
        <dt>processor time<dd>Of the way's own server and of the database together, where both are on this machine. The \
        generator's own is not in it.
        <dt>generator's lag<dd>How much later than scheduled an ask was sent though a connection was free. Where it is not \
        small beside a latency, that latency is the generator's.
        </dl>
        </section>
        """
}
