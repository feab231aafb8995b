import CacheCore

/// Prints, as a table in Markdown, what part of its lookups a group answers from memory under each eviction policy, beside
/// the optimum for the same number of entries.
@main
enum HitRatio {
    private static let capacities = [500, 2500, 5000]

    static func main() throws {
        let policies = Eviction.allCases
        row(["trace", "room for entries"] + policies.map(\.rawValue) + ["Belady"])
        row(["---", "---:"] + policies.map { _ in "---:" } + ["---:"])
        for trace in Trace.all {
            for capacity in capacities {
                var hits = try policies.map { try Replay($0, capacity: capacity).hits(of: trace) }
                hits.append(trace.optimalHits(capacity: capacity))
                row([trace.name, "\(capacity)"] + hits.map { percent($0, of: trace.keys.count) })
            }
        }
    }

    private static func row(_ cells: [String]) {
        print("| " + cells.joined(separator: " | ") + " |")
    }

    private static func percent(_ part: Int, of whole: Int) -> String {
        let thousandths = (part * 1000 + whole / 2) / whole
        return "\(thousandths / 10).\(thousandths % 10) %"
    }
}
