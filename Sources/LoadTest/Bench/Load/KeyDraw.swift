import Glibc
import Groundwork

/// Which key is asked for next, as its index among all.
struct KeyDraw: Sendable {
    private enum Kind {
        /// Each as likely as any other.
        case uniform
        /// The first is the likeliest.
        case zipf(Zipf)
        /// Each once: from `next` on, `step` apart.
        case inOrder(next: Int, step: Int)
    }

    private var kind: Kind
    private let count: Int
    private var random: SplitMix64

    /// Among `count` keys, by Zipf's law when `skew` is above 0.
    init(among count: Int, skew: Double, seed: UInt64) {
        kind = skew > 0 ? .zipf(Zipf(count: count, skew: skew)) : .uniform
        self.count = count
        random = SplitMix64(seed: seed)
    }

    /// Each of `count` keys whose index modulo `step` is `first`, once.
    init(inOrderAmong count: Int, from first: Int, step: Int) {
        kind = .inOrder(next: first, step: step)
        self.count = count
        random = SplitMix64(seed: 0)
    }

    /// The same, drawn from another seed.
    func seeded(_ seed: UInt64) -> KeyDraw {
        var other = self
        other.random = SplitMix64(seed: seed)
        return other
    }

    /// The next one; nil when each was asked for.
    mutating func next() -> Int? {
        switch kind {
        case .uniform:
            return Int(random.next().multipliedFullWidth(by: UInt64(count)).high)
        case .zipf(let zipf):
            return zipf.rank(for: random.chance())
        case .inOrder(let next, let step):
            guard next < count else { return nil }
            kind = .inOrder(next: next + step, step: step)
            return next
        }
    }
}

/// Zipf's law: the share of a rank falls with its power. Drawn in constant time as in J. Gray et al., "Quickly Generating
/// Billion-Record Synthetic Databases", SIGMOD 1994, which YCSB uses, too; there the exponent is below 1. From 1 on ranks are
/// drawn by inverting the sum of their shares.
struct Zipf: Sendable {
    private let count: Int
    private let skew: Double
    private let total: Double
    private let eta: Double
    /// The sums of the shares up to each rank; empty for an exponent below 1.
    private let sums: [Double]

    /// Among `count` ranks.
    init(count: Int, skew: Double) {
        self.count = count
        self.skew = skew
        var total = 0.0
        var sums: [Double] = []
        if skew >= 1 { sums.reserveCapacity(count) }
        for rank in 1...count {
            total += 1 / pow(Double(rank), skew)
            if skew >= 1 { sums.append(total) }
        }
        self.total = total
        self.sums = sums
        let firstTwo = 1 + pow(0.5, skew)
        eta = (1 - pow(2 / Double(count), 1 - skew)) / (1 - firstTwo / total)
    }

    /// The rank, from 0, that a number drawn from 0..<1 stands for.
    func rank(for chance: Double) -> Int {
        let target = chance * total
        if !sums.isEmpty { return min(count - 1, sums.partitioningIndex { $0 > target }) }
        if target < 1 { return 0 }
        if target < 1 + pow(0.5, skew) { return min(1, count - 1) }
        return min(count - 1, Int(Double(count) * pow(eta * chance - eta + 1, 1 / (1 - skew))))
    }
}
