import Pages

extension ScenarioReport {
    /// Where the page's script draws.
    func plots(_ index: Int) -> HTML {
        var plots = [("latency", "Latency by share of asks"), ("asks", "Asks a second")]
        if ways.contains(where: { way in way.series.contains { $0.queriesPerSecond != nil } }) {
            plots.append(("queries", "Database queries a second"))
        }
        if ways.contains(where: { $0.asks.errors > 0 }) { plots.append(("errors", "Errors a second")) }
        switch scenario {
        case .herd, .outage: plots.append(("longest", "The longest wait"))
        case .writes: plots.append(("freshness", "From the commit to the first new answer"))
        case .hits, .mixed: break
        }
        if ways.contains(where: { $0.limit != nil }) { plots.append(("limit", "p99 by rate")) }
        let figures = plots.map { name, title in
            """
            <figure class="card plot" data-scenario="\(index)" data-plot="\(name)"><figcaption>\(title)</figcaption>\
            <noscript>The plot is drawn by a script; its figures are in the tables.</noscript></figure>

            """ as HTML
        }
        return "\(figures)"
    }

    /// Processor time for each ask, as bars of one scale.
    var costs: HTML {
        let costs = ways.compactMap(Cost.init)
        guard let most = costs.map(\.sum).max(), most > 0 else { return "" }
        let bars = costs.map { cost in
            """
            <span class="way \(cost.way.style)">\(cost.way.title)</span>\
            <span class="bar \(cost.way.style)">\(cost.bar(cost.server, of: most))\(cost.bar(cost.database, of: most))</span>\
            <span>\(Figures.onPage(time: cost.sum))</span>

            """ as HTML
        }
        return """
            <figure class="card"><figcaption>Processor time an ask</figcaption>
            <p class="quiet">Full: the way's own server. Pale: the database.</p>
            <div class="bars">\(bars)</div></figure>
            """
    }
}

/// Processor time of one ask, in microseconds.
private struct Cost {
    let way: Way
    let server: Double
    let database: Double

    var sum: Double { server + database }

    init?(_ report: WayReport) {
        guard report.asks.answered > 0, report.processorPerAsk != nil else { return nil }
        let scale = 1e6 / Double(report.asks.answered)
        way = report.way
        server = (report.serverProcessorSeconds ?? 0) * scale
        database = (report.database?.processorSeconds ?? 0) * scale
    }

    func bar(_ part: Double, of most: Double) -> HTML { "<i style=\"--share: \(String(part / most))\"></i>" }
}
