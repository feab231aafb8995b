import CacheCore

/// Metrics in Prometheus' text format (https://prometheus.io/docs/instrumenting/exposition_formats/).
struct PrometheusText {
    static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    private(set) var text = ""

    init(_ metrics: [Metric], of statistics: SidecarStatistics) {
        for metric in metrics {
            let samples = metric.samples(statistics)
            if samples.isEmpty { continue }
            text += "# HELP \(metric.name) \(metric.help)\n# TYPE \(metric.name) \(metric.kind.rawValue)\n"
            for sample in samples { append(sample, of: metric) }
        }
    }

    private mutating func append(_ sample: Metric.Sample, of metric: Metric) {
        let labels = sample.labels.map { "\($0.name)=\"\(Self.escaped($0.value))\"" }.joined(separator: ",")
        text += metric.name + sample.suffix + (labels.isEmpty ? "" : "{\(labels)}") + " \(Self.number(sample.value))\n"
    }

    /// Nanoseconds in seconds, written out.
    static func seconds(_ nanoseconds: Int64) -> String {
        let (whole, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        var digits = "\(1_000_000_000 + rest)".dropFirst()
        while digits.last == "0" { digits.removeLast() }
        return digits.isEmpty ? "\(whole)" : "\(whole).\(digits)"
    }

    /// A whole number without a fraction, as counters are.
    static func number(_ value: Double) -> String {
        if value == value.rounded(), abs(value) < 1e15 { return "\(Int(value))" }
        return "\(value)"
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }
}

extension Metric {
    /// How long each group's loads took.
    static func loadDuration(_ name: String, _ help: String) -> Metric {
        Metric(name: name, kind: .histogram, labels: [(name: "group", values: "the group's name")], help: help) {
            statistics in statistics.groups.flatMap { samples($0.loadTimes, ofGroup: $0.name) }
        }
    }

    private static func samples(_ times: LoadTimes, ofGroup group: String) -> [Sample] {
        let bounds = LoadTimes.bounds.map { PrometheusText.seconds($0) } + ["+Inf"]
        var samples: [Sample] = []
        var count = 0
        for (bound, step) in zip(bounds, times.counts) {
            count += step
            samples.append(Sample(suffix: "_bucket", labels: [("group", group), ("le", bound)], value: Double(count)))
        }
        samples.append(Sample(suffix: "_sum", labels: [("group", group)], value: seconds(times.total)))
        samples.append(Sample(suffix: "_count", labels: [("group", group)], value: Double(count)))
        return samples
    }
}
