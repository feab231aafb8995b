import Pages

extension ScenarioReport {
    /// The cell with its name, beside the rows of its ways.
    var heading: HTML {
        "<th scope=\"rowgroup\" rowspan=\"\(ways.count)\"><a href=\"#\(scenario.rawValue)\">\(scenario.rawValue)</a></th>"
    }

    /// What there is to say of it.
    ///
    /// - Parameter index: Of the scenario in the report, by which the script finds its figures.
    func section(_ index: Int) -> HTML {
        """
        <section id="\(scenario.rawValue)">
        <h2>\(scenario.rawValue)</h2>
        <p>\(summary)</p>
        <p class="quiet">\(load.text). The query of a key: <code>\(load.sql)</code></p>
        \(findings)
        <section class="card table"><table><thead>\(WayReport.columns)</thead><tbody>\(ways.map(\.row))</tbody></table></section>
        <div class="columns">\(plots(index))\(costs)</div>
        </section>
        """
    }

    /// What only this scenario shows.
    private var findings: HTML {
        switch scenario {
        case .hits, .mixed: limits
        case .herd: "<div class=\"columns herds\">\(ways.map(\.herdCard))</div>\(limits)"
        case .writes: "\(writes)\(limits)"
        case .outage: "\(outages)\(limits)"
        }
    }

    private var writes: HTML {
        let rows = ways.compactMap { way in
            way.writes.map { writes in
                """
                <tr>\(way.heading)\([
                    .cell(count: writes.writes), .cell(number: writes.perSecond),
                    .cell(time: writes.seen?.p50), .cell(time: writes.seen?.p99), .cell(time: writes.seen?.max),
                    .cell("\(writes.unseen.grouped) in \(Figures.short(writes.patience)) s"),
                ])<td class="text">\(writes.toldBy)</td></tr>
                """ as HTML
            }
        }
        return table(
            "From a commit's return to the first answer with the new value",
            columns: ["rows written", "a second", "p50", "p99", "longest", "not seen"], text: "told by", rows)
    }

    private var outages: HTML {
        let rows = ways.compactMap { way in
            way.outage.map { outage in
                """
                <tr>\(way.heading)\([
                    .cell(seconds: outage.to - outage.from), .cell(count: outage.answered),
                    .cell(count: outage.errors), .cell(seconds: outage.recoverySeconds),
                ])</tr>
                """ as HTML
            }
        }
        return table(
            "While the database was away",
            columns: ["for", "asks answered", "asks failed", "from its return to no error"], rows)
    }

    private var limits: HTML {
        let rows = ways.compactMap { way in
            way.limit.map { limit in
                """
                <tr>\(way.heading)\([
                    .cell(number: limit.rate), .cell(time: limit.bound), .cell(count: limit.steps.count),
                ])<td class="text">\(limit.isGeneratorsLimit ? "the generator gave in first: the way can do more" : "the way")</td></tr>
                """ as HTML
            }
        }
        return table(
            "The highest rate at which p99 kept its bound", columns: ["asks/s", "bound", "rates tried"],
            text: "what gave in", rows)
    }

    /// A table with a row for each way, or nothing without rows.
    private func table(_ title: String, columns: [String], text: String? = nil, _ rows: [HTML]) -> HTML {
        guard !rows.isEmpty else { return "" }
        let last: HTML = text.map { "<th scope=\"col\" class=\"text\">\($0)</th>" } ?? ""
        return """
            <section class="card table"><h3>\(title)</h3><table>
            <thead><tr><th scope="col" class="text">way</th>\(columns.map { "<th scope=\"col\">\($0)</th>" as HTML })\(last)</tr></thead>
            <tbody>\(rows)</tbody></table></section>
            """
    }
}

extension WayReport {
    /// So many asks, so few queries.
    fileprivate var herdCard: HTML {
        guard let herd else { return "" }
        let each = Figures.onPage(number: herd.queries.map { Double($0) / Double(max(1, herd.expirations)) })
        let most = herd.mostQueriesAtOnce.map { ", \($0.grouped) at most" } ?? ""
        return """
            <section class="card herd \(way.style)">
            <h3>\(way.title)</h3>
            <div class="asks">\(herd.asks.grouped) <small>asks</small></div>
            <div class="queries">\(Figures.onPage(count: herd.queries)) <small>queries</small></div>
            <p>\(herd.hotKeys.grouped) hot keys went from memory \(herd.expirations.grouped) times: \(each) queries \
            each time\(most). The longest wait was \
            \(Figures.onPage(time: herd.longestWait)).</p>
            </section>
            """
    }
}
