/// How long loads took, from the moment when the getter got them, counted in fixed steps.
package struct LoadTimes: Sendable {
    /// Up to which duration each step counts but the last, in nanoseconds, ascending: 50 us to 10 s.
    package static let bounds: [Int64] = [
        50_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000, 5_000_000, 10_000_000, 20_000_000, 50_000_000,
        100_000_000, 200_000_000, 500_000_000, 1_000_000_000, 2_000_000_000, 5_000_000_000, 10_000_000_000,
    ]

    /// One for each bound, and one for what took longer. In place, so that counting and copying allocate nothing.
    private var steps = InlineArray<18, Int>(repeating: 0)
    /// All of them together, in nanoseconds.
    package private(set) var total: Int64 = 0

    package init() {}

    /// Counts a load. A few nanoseconds.
    package mutating func record(_ nanoseconds: Int64) {
        var step = 0
        while step < Self.bounds.count, nanoseconds > Self.bounds[step] { step += 1 }
        steps[step] += 1
        total &+= max(0, nanoseconds)
    }

    /// How many were counted.
    package var count: Int { counts.reduce(0, +) }

    /// How many took up to each bound and longer than the one before, and at the end those beyond the last.
    package var counts: [Int] { steps.indices.map { steps[$0] } }

    /// About what this share (0...1) of the loads took at most, in nanoseconds; nil when there were none. Within a step
    /// it takes them as spread evenly, as Prometheus' `histogram_quantile` does.
    package func quantile(_ share: Double) -> Int64? {
        let counts = counts
        let rank = Double(counts.reduce(0, +)) * share
        var below = 0
        for (step, count) in counts.enumerated() where count > 0 {
            if Double(below + count) >= rank {
                guard step < Self.bounds.count else { break }
                let lower = step == 0 ? 0 : Self.bounds[step - 1]
                let part = max(0, rank - Double(below)) / Double(count)
                return lower + Int64(Double(Self.bounds[step] - lower) * part)
            }
            below += count
        }
        return rank > 0 ? Self.bounds[Self.bounds.count - 1] : nil
    }

    package static func += (left: inout LoadTimes, right: LoadTimes) {
        for step in left.steps.indices { left.steps[step] += right.steps[step] }
        left.total &+= right.total
    }
}
