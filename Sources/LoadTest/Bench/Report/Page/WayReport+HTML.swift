import Pages

extension HTML {
    /// A cell of a table with a figure in it.
    static func cell(_ text: String) -> HTML { "<td>\(text)</td>" }

    /// A cell with a time in microseconds.
    static func cell(time: Double?) -> HTML { cell(Figures.onPage(time: time)) }

    /// A cell with a time in seconds.
    static func cell(seconds: Double?) -> HTML { cell(time: seconds.map { $0 * 1e6 }) }

    /// A cell with a count.
    static func cell(count: Int?) -> HTML { cell(Figures.onPage(count: count)) }

    /// A cell with a rate or a ratio.
    static func cell(number: Double?) -> HTML { cell(Figures.onPage(number: number)) }
}

extension Figures {
    /// What stands where nothing is known.
    private static let unknown = "–"

    /// A time in microseconds.
    static func onPage(time: Double?) -> String {
        time.map { Figures.time($0).replacing(" us", with: " µs") } ?? unknown
    }

    /// A count.
    static func onPage(count: Int?) -> String { count?.grouped ?? unknown }

    /// A rate or a ratio.
    static func onPage(number: Double?) -> String {
        guard let number, number.isFinite, number.magnitude < 1e15 else { return unknown }
        return number.magnitude < 100 ? short(number) : Int(number.rounded()).grouped
    }
}

extension Way {
    /// What it is called on the page.
    var title: String {
        switch self {
        case .sidecar: "pgsidecar"
        case .database: "database alone"
        case .redis: "Redis, cache-aside"
        }
    }

    /// The class that gives it its colour.
    var style: String {
        switch self {
        case .sidecar: "first"
        case .database: "second"
        case .redis: "third"
        }
    }
}

extension WayReport {
    /// The cell with its name.
    var heading: HTML { "<th scope=\"row\" class=\"text\"><span class=\"way \(way.style)\">\(way.title)</span></th>" }

    /// Queries that the database ran for a thousand asks; nil when it could not be asked.
    var queriesPerThousandAsks: Double? {
        guard let database, asks.answered > 0 else { return nil }
        return Double(database.queries) * 1000 / Double(asks.answered)
    }

    /// All its figures, as a row of the scenario's table.
    var row: HTML {
        let cells: [HTML] = [
            .cell(number: asks.perSecond), .cell(count: asks.answered), .cell(time: latency.p50),
            .cell(time: latency.p90),
            .cell(time: latency.p99), .cell(time: latency.p999), .cell(time: latency.p9999), .cell(time: latency.max),
            .cell(count: asks.errors), .cell(count: asks.missing),
            .cell(count: database?.queries), .cell(count: database?.peakActiveSessions),
            .cell(time: lag?.p99), .cell(generatorShare),
        ]
        return "<tr>\(heading)\(cells)</tr>"
    }

    static let columns: HTML = """
        <tr><th scope="col" class="text">way<th scope="col">asks/s<th scope="col">asks<th scope="col">p50\
        <th scope="col">p90<th scope="col">p99<th scope="col">p99.9<th scope="col">p99.99<th scope="col">longest\
        <th scope="col">errors<th scope="col">keys without value<th scope="col">queries<th scope="col">sessions at once\
        <th scope="col">generator's lag, p99<th scope="col">generator's processor</tr>
        """

    /// How much of a core the generator took.
    private var generatorShare: String {
        Figures.onPage(number: (100 * generatorProcessorSeconds / asks.seconds).rounded()) + " %"
    }
}
