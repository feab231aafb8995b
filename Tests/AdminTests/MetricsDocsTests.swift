import Foundation
import TestSupport
import Testing

@testable import Admin

/// docs/metrics.md, the alert rules and the dashboard name the metrics that there are.
@Suite struct MetricsDocsTests {
    @Test func `the docs have every metric as the table has it, and no other`() throws {
        let path = "\(repository)/docs/metrics.md"
        let document = try String(contentsOfFile: path, encoding: .utf8)
        let (begin, end) = ("<!-- metrics -->\n", "<!-- end -->")
        let start = try #require(document.range(of: begin)).upperBound
        let stop = try #require(document.range(of: end, range: start..<document.endIndex)).lowerBound
        let rows = Metric.all.map { metric in
            let labels = metric.labels.map { "`\($0.name)`: \($0.values)" }.joined(separator: "; ")
            return "| `\(metric.name)` | \(metric.kind.rawValue) | \(labels) | \(metric.help) |\n"
        }
        let table = "| metric | type | labels | what it is |\n|---|---|---|---|\n" + rows.joined()
        let expected = document.replacingCharacters(in: start..<stop, with: table)
        if ProcessInfo.processInfo.environment["PGSIDECAR_WRITE_DOCS"] != nil {
            try expected.write(toFile: path, atomically: true, encoding: .utf8)
        } else {
            #expect(document == expected, "`make docs` writes docs/metrics.md anew")
        }
    }

    private static let shipped = ["Config/prometheus/alerts.yml", "Config/grafana/pgsidecar.json"]

    @Test(arguments: shipped)
    func `what is shipped asks for metrics that there are`(file: String) throws {
        let text = try String(contentsOfFile: "\(repository)/\(file)", encoding: .utf8)
        let asked = Set(text.matches(of: /\b(?:pgsidecar|process)_[a-z_]+\b/).map { String($0.0) })
        let there = Metric.all.flatMap { metric in
            metric.kind == .histogram ? ["_bucket", "_sum", "_count"].map { metric.name + $0 } : [metric.name]
        }
        #expect(asked.count > 10)
        #expect(asked.subtracting(there) == [])
    }

    @Test func `Prometheus finds no fault with the alert rules, and each fires when it should`() throws {
        #expect(
            try MetricTests.complaints(["check", "rules", "\(repository)/Config/prometheus/alerts.yml"]) == "")
        #expect(
            try MetricTests.complaints(["test", "rules", "\(repository)/Tests/AdminTests/Rules/alerts.test.yml"]) == "")
    }

    @Test func `the dashboard is JSON that Grafana imports`() throws {
        let data = try Data(contentsOf: URL(fileURLWithPath: "\(repository)/Config/grafana/pgsidecar.json"))
        let dashboard = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        #expect(dashboard["title"] as? String == "pgsidecar")
        let panels = try #require(dashboard["panels"] as? [[String: Any]])
        let charts = panels.filter { $0["type"] as? String != "row" }
        #expect(charts.count >= 12)
        #expect(Set(panels.compactMap { $0["id"] as? Int }).count == panels.count)
        for chart in charts {
            let queries = try #require(chart["targets"] as? [[String: Any]], "\(chart["title"] ?? "")")
            #expect(!queries.isEmpty && queries.allSatisfy { $0["expr"] is String })
        }
    }
}
