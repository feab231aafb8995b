import Histogram

/// The latencies of many asks, in microseconds.
struct LatencySummary: Codable, Sendable, Equatable {
    var count = 0
    var mean: Double = 0
    var p50: Double = 0
    var p90: Double = 0
    var p99: Double = 0
    var p999: Double = 0
    var p9999: Double = 0
    var max: Double = 0
    /// The whole distribution, from the shortest to the longest.
    var curve: [CurvePoint] = []

    /// A point of the distribution.
    struct CurvePoint: Codable, Sendable, Equatable {
        /// This share (0...1) of the asks was answered within `latency`.
        var share: Double
        /// In microseconds.
        var latency: Double
    }

    /// None.
    init() {}

    /// Sums up a histogram of nanoseconds.
    ///
    /// - Parameter hasCurve: Whether the distribution is kept, too.
    init(_ histogram: Histogram<UInt64>, hasCurve: Bool = true) {
        guard histogram.totalCount > 0 else { return }
        func value(_ percentile: Double) -> Double { Double(histogram.valueAtPercentile(percentile)) / 1000 }
        count = Int(histogram.totalCount)
        mean = histogram.mean / 1000
        (p50, p90, p99, p999, p9999) = (value(50), value(90), value(99), value(99.9), value(99.99))
        max = Double(histogram.maxRecorded) / 1000
        guard hasCurve else { return }
        curve = histogram.percentiles(ticksPerHalfDistance: 5).map { step in
            CurvePoint(share: step.percentileLevelIteratedTo / 100, latency: Double(step.value) / 1000)
        }
    }
}
