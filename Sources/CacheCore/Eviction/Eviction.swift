/// Which entry goes when there is no room.
public enum Eviction: String, CaseIterable, Sendable {
    /// The one that has gone longest without being asked for.
    case lru
    /// The oldest that was not asked for since the hand last passed it. A hit moves nothing, and what is asked for once goes
    /// soon (Y. Zhang et al., "SIEVE is Simpler than LRU", NSDI 2024).
    case sieve
    /// Newcomers pass through a small queue and stay only when they are asked for there; those that come back soon after
    /// they went stay at once. Takes up to 16 bytes more an entry, to remember those that went (J. Yang et al., "FIFO
    /// Queues are All You Need for Cache Eviction", SOSP 2023).
    case s3fifo = "s3-fifo"

    /// A policy for one shard.
    func makePolicy() -> any EvictionPolicy {
        switch self {
        case .lru: LRU()
        case .sieve: Sieve()
        case .s3fifo: S3FIFO()
        }
    }
}
