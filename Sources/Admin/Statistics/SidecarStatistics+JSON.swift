import CacheCore
import FoundationEssentials

extension SidecarStatistics {
    /// The statistics as JSON, in one line.
    func json() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(Document(statistics: self)))
    }

    /// The statistics and what follows from them.
    private struct Document: Encodable {
        let statistics: SidecarStatistics

        private enum CodingKeys: String, CodingKey {
            case isReady, loadTimeBoundsSeconds
        }

        func encode(to encoder: any Encoder) throws {
            try statistics.encode(to: encoder)
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(statistics.isReady, forKey: .isReady)
            try container.encode(LoadTimes.bounds.map(seconds), forKey: .loadTimeBoundsSeconds)
        }
    }
}

/// Nanoseconds as seconds.
func seconds(_ nanoseconds: Int64) -> Double { Double(nanoseconds) / 1_000_000_000 }

extension ReadinessCheck {
    private enum CodingKeys: String, CodingKey {
        case name, isOk, reason
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(name, forKey: .name)
        try container.encode(isOk, forKey: .isOk)
        try container.encodeIfPresent(reason, forKey: .reason)
    }
}

extension SidecarStatistics.Group: Encodable {
    private enum CodingKeys: String, CodingKey {
        case name, runningLoads, queuedLoads, loadTimes, hotKeys
    }

    /// A figure's name, as ``GroupStatistics/named`` has it.
    private struct FigureKey: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    private struct Times: Encodable {
        let count: Int
        let sumSeconds: Double
        let p50Seconds: Double?
        let p99Seconds: Double?
        let counts: [Int]
    }

    package func encode(to encoder: any Encoder) throws {
        var figure = encoder.container(keyedBy: FigureKey.self)
        for (name, path) in GroupStatistics.named {
            try figure.encode(figures[keyPath: path], forKey: FigureKey(stringValue: name))
        }
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(name, forKey: .name)
        try container.encode(runningLoads, forKey: .runningLoads)
        try container.encode(queuedLoads, forKey: .queuedLoads)
        try container.encode(hotKeys, forKey: .hotKeys)
        let times = Times(
            count: loadTimes.count, sumSeconds: seconds(loadTimes.total),
            p50Seconds: loadTimes.quantile(0.5).map(seconds),
            p99Seconds: loadTimes.quantile(0.99).map(seconds), counts: loadTimes.counts)
        try container.encode(times, forKey: .loadTimes)
    }
}
