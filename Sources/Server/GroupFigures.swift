import CacheCore

/// A group's figures as `INFO` and `PGS.STATS` tell them.
struct GroupFigures {
    private var statistics = GroupStatistics()
    private var loadTimes = LoadTimes()
    private var running = 0
    private var queued = 0

    init() {}

    init(of group: Group) {
        statistics = group.statistics
        loadTimes = group.loadTimes
        (running, queued) = group.loadsUnderWay
    }

    static func += (left: inout GroupFigures, right: GroupFigures) {
        left.statistics += right.statistics
        left.loadTimes += right.loadTimes
        left.running += right.running
        left.queued += right.queued
    }

    subscript(_ figure: KeyPath<GroupStatistics, Int>) -> Int { statistics[keyPath: figure] }

    /// Each figure under its name: what was counted, then what loads are about.
    var all: [(name: String, value: Int)] {
        GroupStatistics.named.map { ($0.name, statistics[keyPath: $0.figure]) } + loads
    }

    /// Loads that run, loads that wait for their turn, and how long loads took in microseconds: the sum, the median and the
    /// 99th percentile.
    var loads: [(name: String, value: Int)] {
        [
            ("running_loads", running), ("queued_loads", queued), ("load_us", Int(loadTimes.total / 1000)),
            ("load_us_p50", Int((loadTimes.quantile(0.5) ?? 0) / 1000)),
            ("load_us_p99", Int((loadTimes.quantile(0.99) ?? 0) / 1000)),
        ]
    }
}
