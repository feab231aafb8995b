import Groundwork

/// Takes statistics no more than ten times a second, however many ask for them.
final class StatisticsSampler: Sendable {
    private struct Sample {
        let statistics: SidecarStatistics
        let taken: Instant
    }

    /// How long statistics are those of now.
    private static let pause = Duration.milliseconds(100)

    private let take: @Sendable () -> SidecarStatistics
    private let last = Mutex<Sample?>(nil)

    init(_ take: @escaping @Sendable () -> SidecarStatistics) {
        self.take = take
    }

    /// The statistics of now.
    func statistics() -> SidecarStatistics {
        let now = Instant.now()
        if let sample = last.withLock({ $0 }), now - sample.taken < Self.pause { return sample.statistics }
        // Two that ask at once both take them: no lock is held meanwhile.
        let statistics = take()
        last.withLock { $0 = Sample(statistics: statistics, taken: now) }
        return statistics
    }
}
