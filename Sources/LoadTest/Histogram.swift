/// Counts durations in steps of at most an eighth of their length, in constant memory.
public struct Histogram: Sendable {
    /// Eight steps for each doubling of nanoseconds.
    private var counts = [Int](repeating: 0, count: 64 * 8)
    /// How many were counted.
    public private(set) var count = 0
    /// The longest, in nanoseconds.
    public private(set) var longest: Int64 = 0

    /// An empty one.
    public init() {}

    /// Counts a duration in nanoseconds; a negative one counts as none.
    public mutating func record(_ nanoseconds: Int64) {
        let value = max(0, nanoseconds)
        counts[Self.step(of: value)] += 1
        count += 1
        longest = max(longest, value)
    }

    /// The duration that this share of all (0...1) do not exceed, in nanoseconds, up to an eighth too long; 0 of none.
    public func quantile(_ share: Double) -> Int64 {
        let rank = Int((Double(count) * share).rounded(.up))
        var seen = 0
        for (step, count) in counts.enumerated() where count > 0 {
            seen += count
            if seen >= max(1, rank) { return min(longest, Self.end(of: step)) }
        }
        return 0
    }

    private static func step(of value: Int64) -> Int {
        guard value >= 8 else { return Int(value) }
        let exponent = 63 - value.leadingZeroBitCount
        return (exponent - 2) * 8 + Int(value >> Int64(exponent - 3)) & 7
    }

    /// The longest duration of a step.
    private static func end(of step: Int) -> Int64 {
        guard step >= 8 else { return Int64(step) }
        let exponent = step / 8 + 2
        return Int64(clamping: (UInt64(8 + step % 8 + 1) << UInt64(exponent - 3)) - 1)
    }
}
