import Postgres

/// Whether a load reads a table from its beginning to its end.
enum ScanCheck {
    /// What is smaller is read whole in less than a millisecond.
    private static let leastBytes = 1 << 20

    static func findings(_ examination: Examination) -> [Finding] {
        var findings: [Finding] = []
        for (group, reading) in examination.readings {
            if let why = reading.unplanned { findings.append(.ok("\(group): there is no plan for any key: \(why)")) }
            findings += reading.scans.filter { $0.bytes >= leastBytes }.map { finding($0, of: group) }
        }
        return findings.isEmpty ? [.ok("an index leads each query to its rows, or the table is small")] : findings
    }

    private static func finding(_ scan: QueryReading.Scan, of group: String) -> Finding {
        let seen = "\(group): each load reads all of \(scan.table), \(scan.bytes >> 20) MiB"
        guard let filter = scan.filter else {
            return .warn(
                "\(seen), since it asks for all rows",
                .advice("keep the answers long (ttl), or have a table of their sums that is kept up to date"))
        }
        guard !scan.columns.isEmpty else {
            return .warn("\(seen)", .advice("make an index for \(filter), or write the condition as column = $1"))
        }
        // PostgreSQL has no CONCURRENTLY for partitioned tables.
        let how = scan.isPartitioned ? "" : " CONCURRENTLY"
        return .warn(seen, .sql("CREATE INDEX\(how) ON \(scan.table) (\(scan.columns.joined(separator: ", ")));"))
    }
}
