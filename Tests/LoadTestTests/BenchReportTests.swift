import Foundation
import Testing

@testable import LoadTest

@Suite struct BenchReportTests {
    private func example() throws -> BenchReport {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("Resources/bench-report.json")
        return try BenchReport(json: String(contentsOf: file, encoding: .utf8))
    }

    @Test func `a report that was written is the same when it is read`() throws {
        let report = try example()
        #expect(report.version == BenchReport.currentVersion)
        #expect(Set(report.scenarios.map(\.scenario)) == Set(Scenario.allCases))
        #expect(try BenchReport(json: report.json()) == report)
    }

    @Test func `the terminal's report has a table for each scenario, and what happened in it`() throws {
        let text = try example().text
        for scenario in Scenario.allCases {
            #expect(text.contains("\n\(scenario.rawValue): \(scenarioSummary(scenario))"))
        }
        #expect(
            text.contains("  sidecar: 515,000 asks, 100 queries (10 keys went 10 times, at most 10 for one expiration)")
        )
        #expect(text.contains("  database: 1,050 asks, 1,050 queries (10 keys went 10 times), longest wait 410 ms"))
        #expect(text.contains("  sidecar: p99 within 1.00 ms up to 88,000 asks/s"))
        #expect(text.contains("told by triggers (source: notify)"))
        #expect(
            text.contains("  database: in the 1.7 s without the database 0 asks were answered and 8,500 got an error"))
        // As wide as a terminal, more or less.
        #expect(text.split(separator: "\n").allSatisfy { $0.count <= 170 })
    }

    @Test func `the report's page has a section for each scenario, with its figures as text`() throws {
        let page = try example().html()
        for scenario in Scenario.allCases {
            #expect(page.contains("<section id=\"\(scenario)\">"))
            #expect(page.contains("<p>\(scenarioSummary(scenario))</p>"))
        }
        #expect(page.contains("515,000 <small>asks</small>"))
        #expect(page.contains("100 <small>queries</small>"))
        #expect(page.contains("10 hot keys went from memory 10 times: 52 queries each time, 53 at most"))
        #expect(page.contains("<td>231 µs</td>"))
        #expect(!page.contains("Read these figures with care"))
    }

    @Test func `what the report's page was told by others is text, and a warning stands before all figures`() throws {
        var report = try example()
        let hostile = "</script><script>hurt()</script> {{script}}"
        report.run.subject = hostile
        report.run.arguments = [hostile]
        report.scenarios[0].load.sql = hostile
        report.scenarios[0].ways[0].warnings = [hostile]
        let page = try report.html()
        #expect(!page.contains("<script>hurt()"))
        let warning = try #require(
            page.firstRange(of: "&lt;/script&gt;&lt;script&gt;hurt()&lt;/script&gt; {{script}}</li>"))
        let summary = try #require(page.firstRange(of: "In short"))
        #expect(warning.upperBound < summary.lowerBound)
    }

    private func scenarioSummary(_ scenario: Scenario) -> String {
        (try? example().scenarios.first { $0.scenario == scenario }?.summary) ?? "?"
    }

    @Test func `the cost of an ask is that of the server and of the database together`() throws {
        let hits = try #require(try example().scenarios.first { $0.scenario == .hits })
        let sidecar = try #require(hits.ways.first { $0.way == .sidecar })
        // 2.4 s and 0.02 s for 590,000 asks.
        #expect(abs(try #require(sidecar.processorPerAsk) - 4.1) < 0.01)
    }

    @Test(arguments: [
        (0, "0.00 us"), (9.994, "9.99 us"), (412.4, "412 us"), (1250, "1.25 ms"), (99_960, "100 ms"),
        (2_500_000, "2.50 s"),
    ])
    func `times have three digits and a unit`(_ microseconds: Double, _ text: String) {
        #expect(Figures.time(microseconds) == text)
    }

    @Test func `numbers have commas`() {
        #expect(999.grouped == "999")
        #expect(1_234_567.grouped == "1,234,567")
        #expect((-1000).grouped == "-1,000")
        #expect(Figures.short(0.99) == "0.99")
        #expect(Figures.short(5) == "5")
    }
}
