/// How long to wait before the next attempt: 100 ms, doubled with each failure up to 10 s, of which a random half is taken off,
/// so that many who lost the same database do not return in step.
public struct Backoff: Sendable {
    /// Without a failure.
    public static let shortest = Duration.milliseconds(100)
    /// However many failures there were.
    public static let longest = Duration.seconds(10)

    private var random: SplitMix64

    /// Pauses whose random part belongs to `seed`.
    public init(seed: UInt64 = .random(in: .min ... .max)) {
        random = SplitMix64(seed: seed)
    }

    /// The pause after so many failures in a row.
    public mutating func delay(afterFailures failures: Int) -> Duration {
        let whole = min(Self.longest, Self.shortest * (1 << min(max(0, failures), 10)))
        return whole * (0.5 + random.chance() / 2)
    }
}
