import Glibc
import Groundwork

/// The keys that are asked for, one after the other, and what to call them.
struct Trace {
    let name: String
    let keys: [Int]

    private static let population = 25_000
    private static let length = 200_000

    /// All that are measured, the same in each run.
    static let all = [
        zipf(skew: 0.7), zipf(skew: 0.9), zipf(skew: 1.1), scanned(skew: 0.9), scanned(skew: 1.1), loop(),
    ]

    /// Each key's share falls with its rank to the power of `skew`.
    private static func zipf(skew: Double) -> Trace {
        var ranks = ZipfRanks(population: population, skew: skew)
        return Trace(name: "Zipf \(skew)", keys: (0..<length).map { _ in ranks.next() })
    }

    /// After every 10,000 keys by Zipf 5,000 in order that are never asked for again.
    private static func scanned(skew: Double) -> Trace {
        var ranks = ZipfRanks(population: population, skew: skew)
        var fresh = population
        let keys = (0..<length).map { index in
            guard index % 15_000 >= 10_000 else { return ranks.next() }
            fresh += 1
            return fresh
        }
        return Trace(name: "Zipf \(skew), scans", keys: keys)
    }

    /// A quarter of the keys, in order, over and over.
    private static func loop() -> Trace {
        Trace(name: "loop of \(population / 4)", keys: (0..<length).map { $0 % (population / 4) })
    }
}

/// Ranks by Zipf's law, drawn by inverting the sum of their shares.
private struct ZipfRanks {
    private let sums: [Double]
    private var random = SplitMix64(seed: 2024)

    init(population: Int, skew: Double) {
        var sum = 0.0
        var sums: [Double] = []
        for rank in 1...population {
            sum += 1 / pow(Double(rank), skew)
            sums.append(sum)
        }
        self.sums = sums
    }

    mutating func next() -> Int {
        let target = Double.random(in: 0..<(sums.last ?? 1), using: &random)
        return min(sums.count - 1, sums.partitioningIndex { $0 > target })
    }
}
