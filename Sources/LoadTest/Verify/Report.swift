import Histogram

/// What a run found, in words.
struct Report: Sendable {
    let findings: Ledger.Findings
    let lines: [String]

    /// Whether nothing was found.
    var isClean: Bool { findings.counts.isEmpty }

    init(_ ledger: Ledger, _ progress: Progress, inMemory: Int) {
        findings = ledger.findings
        let (staleness, commits) = ledger.staleness
        var lines = [
            "reads              \(progress.readCount), of which stale \(progress.staleReadCount); errors \(progress.errorCount)",
            "commits of a row   \(commits), of which \(staleness.totalCount) were outlived by the state before",
            """
            staleness          median \(Self.text(staleness.valueAtPercentile(50))), p99 \(Self.text(staleness.valueAtPercentile(99))), \
            max \(Self.text(staleness.maxRecorded)) (commit to the last stale read that was asked for)
            """,
            "in memory at last  \(inMemory) values, compared with the database",
        ]
        for kind in Ledger.Violation.Kind.allCases {
            lines.append("\(findings.counts[kind, default: 0])  \(kind.rawValue)")
        }
        lines += findings.first.map { "    \($0.kind.rawValue): \($0.description)" }
        self.lines = lines
    }

    /// A duration in nanoseconds, as people read it.
    static func text(_ nanoseconds: some BinaryInteger) -> String {
        switch nanoseconds {
        case ..<10_000: "\(nanoseconds) ns"
        case ..<10_000_000: "\(nanoseconds / 1000) us"
        case ..<10_000_000_000: "\(nanoseconds / 1_000_000) ms"
        default: "\(nanoseconds / 1_000_000_000) s"
        }
    }
}
