import Foundation
import TestSupport
import Testing

@testable import Admin

@Suite struct MetricTests {
    /// Prometheus' own tool, where `make deps-test` puts it.
    static let promtool = "\(repository)/run/prometheus/usr/bin/promtool"

    /// Runs `promtool` with some input; returns what it prints when it has something to say.
    static func complaints(_ arguments: [String], input: String = "") throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: promtool)
        process.arguments = arguments
        let (given, printed) = (Pipe(), Pipe())
        (process.standardInput, process.standardOutput, process.standardError) = (given, printed, printed)
        try process.run()
        // More than a pipe holds would have to be written beside reading; these are some kilobytes.
        given.fileHandleForWriting.write(Data(input.utf8))
        try given.fileHandleForWriting.close()
        let output = printed.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return process.terminationStatus == 0 ? "" : String(decoding: output, as: UTF8.self)
    }

    private let text = PrometheusText(Metric.all, of: .full).text

    @Test func `Prometheus finds no fault with the metrics`() throws {
        #expect(try Self.complaints(["check", "metrics"], input: text) == "")
        #expect(try Self.complaints(["check", "metrics"], input: "pgsidecar_x_total 1\n") != "")
    }

    @Test func `every metric has a value, and its name once`() {
        for metric in Metric.all { #expect(!metric.samples(.full).isEmpty, "\(metric.name)") }
        #expect(Set(Metric.all.map(\.name)).count == Metric.all.count)
    }

    @Test func `each sample has the labels that its metric tells`() {
        for metric in Metric.all {
            for sample in metric.samples(.full) {
                #expect(sample.labels.map(\.name).filter { $0 != "le" } == metric.labels.map(\.name), "\(metric.name)")
            }
        }
    }

    @Test func `what there is no figure for is left out`() {
        var statistics = SidecarStatistics.full
        statistics.stream = nil
        #expect(!PrometheusText(Metric.all, of: statistics).text.contains("pgsidecar_stream_"))
    }

    @Test func `gets are told by group and result, and loads by what began them`() {
        for line in [
            "pgsidecar_gets_total{group=\"account\",result=\"hit\"} 7",
            "pgsidecar_gets_total{group=\"account\",result=\"miss\"} 3",
            "pgsidecar_loads_total{group=\"account\",cause=\"miss\"} 3",
            "pgsidecar_loads_total{group=\"account\",cause=\"refresh\"} 2",
            "pgsidecar_group_failing{group=\"account\"} 1", "pgsidecar_build_info{version=\"1.2.3\"} 1",
            #"pgsidecar_entries{group="o\"d\\d"} 0"#, "pgsidecar_stream_delay_seconds 0.004",
        ] { #expect(text.contains("\n\(line)\n"), "\(line)") }
    }

    @Test func `a histogram counts in each step those below it`() {
        let lines = text.split(separator: "\n").filter {
            $0.hasPrefix("pgsidecar_load_duration_seconds") && $0.contains("account")
        }
        let values = lines.filter { $0.contains("_bucket") }.compactMap { Int($0.split(separator: " ").last ?? "") }
        #expect(values == [1] + Array(repeating: 3, count: 10) + Array(repeating: 4, count: 6) + [5])
        #expect(lines[0].contains("le=\"0.00005\""), "\(lines[0])")
        #expect(lines.contains { $0.contains("le=\"+Inf\"} 5") })
        #expect(lines.contains { $0.hasSuffix("_count{group=\"account\"} 5") })
    }
}
