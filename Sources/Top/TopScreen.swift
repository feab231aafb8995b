import Groundwork

/// The lines that `pgsidecar top` shows: what happened between two samples, or since the start when there is but one.
struct TopScreen {
    /// A load that took long, as `SLOWLOG GET` tells it.
    struct SlowLoad: Sendable {
        let key: String
        let milliseconds: Double
        /// `queue`, `connection`, `database`, in milliseconds.
        let waits: [(name: String, milliseconds: Double)]
        let error: String?
    }

    private let now: InfoSample
    private let before: InfoSample?
    private let seconds: Double
    private let slowLoads: [SlowLoad]

    init(_ now: InfoSample, since before: InfoSample?, slowLoads: [SlowLoad] = []) {
        // A process that began anew counts from 0.
        let before = before.flatMap { $0.text("process_id") == now.text("process_id") ? $0 : nil }
        self.now = now
        self.before = before
        self.slowLoads = slowLoads
        let span = before.map { Double((now.time - $0.time).wholeNanoseconds) / 1_000_000_000 }
        seconds = max(0.001, span ?? max(1, now.number("uptime_in_seconds")))
    }

    /// What to show, each line at most `width` letters.
    func lines(width: Int) -> [String] {
        (header + [""] + groupTable + slowTable).map { String(Self.printable($0).prefix(max(20, width))) }
    }

    // MARK: The whole

    private var header: [String] {
        let period = before == nil ? "since the start" : "in the last second"
        let processor = now.number("used_cpu_sys") + now.number("used_cpu_user")
        let earlier = before.map { $0.number("used_cpu_sys") + $0.number("used_cpu_user") } ?? 0
        let cores = max(0, processor - earlier) / seconds
        let (gets, misses) = (delta { $0.sum("gets") }, delta { $0.sum("misses") })
        let loads = delta { $0.sum("loads") }
        let reloads = delta { $0.sum("refreshes") + $0.sum("reloads") }
        return [
            "pgsidecar \(now.text("pgsidecar_version") ?? "?")  \(now.text("unix_socket") ?? "")  up "
                + Self.time(seconds: now.count("uptime_in_seconds")) + "  (rates \(period))",
            "clients \(now.count("connected_clients"))   requests/s \(rate("total_commands_processed"))   waiting "
                + "\(now.count("pending_loads"))   processor \(Self.percent(cores))   memory "
                + "\(Self.bytes(now.count("used_memory_cache"))) of \(Self.bytes(now.count("maxmemory")))   resident "
                + Self.bytes(now.count("used_memory_rss")),
            "hit ratio \(Self.ratio(gets - misses, of: gets))   lookups/s \(Self.perSecond(gets, seconds))   loads/s "
                + "\(Self.perSecond(loads, seconds))   saved by sharing/s "
                + Self.perSecond(max(0, misses - (loads - reloads)), seconds),
            database, changes,
        ]
    }

    private var database: String {
        var text = "database \(now.count("database_connections_ready")) of "
        text += "\(now.count("database_connections_wanted")) connections"
        if let circuit = now.text("database_circuit"), circuit != "closed" {
            text += "   CIRCUIT \(circuit.uppercased())"
        }
        text += "   waiting for one \(now.count("database_loads_queued"))"
        if let groups = now.text("failing_groups") { text += "   FAILING \(groups)" }
        if let groups = now.text("database_degraded_groups") { text += "   DEGRADED \(groups)" }
        return text
    }

    private var changes: String {
        guard let source = now.text("invalidation_source"), source != "none" else {
            return "changes: nothing tells of them"
        }
        let state = now.text("invalidation_state") ?? "?"
        var text = "changes by \(source): \(state == "live" ? state : state.uppercased())"
        text += "   changes/s \(rate("invalidation_messages"))   keys/s \(rate("invalidation_keys"))"
        text += "   lost \(now.count("invalidation_losses")) times"
        if let lag = now.text("invalidation_lag_bytes").flatMap({ Int($0) }) { text += "   behind \(Self.bytes(lag))" }
        return text
    }

    // MARK: Tables

    private static let columns = [
        "gets/s", "hit", "loads/s", "shared/s", "running", "queued", "p50 ms", "p99 ms", "entries", "memory", "evict/s",
        "stale/s", "errors/s",
    ]

    private var groupTable: [String] {
        let rows = now.groups.map { group in [group.name] + figures(of: group) }
        let all = [["group"] + Self.columns] + rows
        let widths = (0...Self.columns.count).map { column in all.map { $0[column].count }.max() ?? 0 }
        return all.map { row in
            row.enumerated().map { column, text in
                let space = String(repeating: " ", count: widths[column] - text.count)
                return column == 0 ? text + space : space + text
            }.joined(separator: "  ")
        }
    }

    private func figures(of group: InfoSample.Group) -> [String] {
        let earlier = before?.groups.first { $0.name == group.name }
        func delta(_ name: String) -> Int { max(0, group[name] - (earlier?[name] ?? 0)) }
        func rate(_ name: String) -> String { Self.perSecond(delta(name), seconds) }
        return [
            rate("gets"), Self.ratio(delta("hits") + delta("negative_hits"), of: delta("gets")), rate("loads"),
            rate("shared_loads"), "\(group["running_loads"])", "\(group["queued_loads"])",
            Self.milliseconds(group["load_us_p50"]), Self.milliseconds(group["load_us_p99"]),
            Self.grouped(group["entries"]), Self.bytes(group["bytes"]), rate("evictions"), rate("invalidations"),
            rate("load_errors"),
        ]
    }

    private var slowTable: [String] {
        guard !slowLoads.isEmpty else { return [] }
        return ["", "last slow loads (SLOWLOG GET has more)"]
            + slowLoads.map { load in
                let waits = load.waits.map { "\($0.name) \(Self.oneDigit($0.milliseconds)) ms" }
                let error = load.error.map { "   \($0)" } ?? ""
                return "\(load.key)   \(Self.oneDigit(load.milliseconds)) ms: \(waits.joined(separator: ", "))\(error)"
            }
    }

    // MARK: Figures as texts

    private func delta(_ figure: (InfoSample) -> Int) -> Int { max(0, figure(now) - (before.map(figure) ?? 0)) }

    private func rate(_ name: String) -> String { Self.perSecond(delta { $0.count(name) }, seconds) }

    static func perSecond(_ count: Int, _ seconds: Double) -> String {
        let rate = Double(count) / seconds
        return rate > 0 && rate < 9.95 ? oneDigit(rate) : grouped(Int(rate.rounded()))
    }

    static func ratio(_ part: Int, of whole: Int) -> String {
        whole > 0 ? percent(Double(part) / Double(whole)) : "-"
    }

    static func percent(_ share: Double) -> String { "\(oneDigit(share * 100))%" }

    static func milliseconds(_ microseconds: Int) -> String {
        microseconds == 0 ? "-" : oneDigit(Double(microseconds) / 1000)
    }

    static func oneDigit(_ number: Double) -> String {
        let tenths = Int((number * 10).rounded())
        return "\(grouped(tenths / 10)).\(tenths % 10)"
    }

    /// With commas between thousands.
    static func grouped(_ number: Int) -> String {
        number >= 1000 ? "\(grouped(number / 1000)),\("\(1000 + number % 1000)".dropFirst())" : "\(number)"
    }

    static func bytes(_ count: Int) -> String {
        let units = ["B", "KiB", "MiB", "GiB", "TiB"]
        var (size, unit) = (Double(count), 0)
        while size >= 1023.95, unit < units.count - 1 { (size, unit) = (size / 1024, unit + 1) }
        return unit == 0 ? "\(grouped(count)) B" : "\(oneDigit(size)) \(units[unit])"
    }

    static func time(seconds: Int) -> String {
        let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60)
        if days > 0 { return "\(days) d \(hours) h" }
        if hours > 0 { return "\(hours) h \(minutes) min" }
        return minutes > 0 ? "\(minutes) min \(seconds % 60) s" : "\(seconds) s"
    }

    /// Without what a terminal would take for an order: keys may hold any byte.
    private static func printable(_ text: String) -> String {
        String(text.map { $0.unicodeScalars.contains { $0.properties.generalCategory == .control } ? "·" : $0 })
    }
}
