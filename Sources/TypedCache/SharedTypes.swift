public import CacheCore

/// Why a load brought nothing, as `CacheCore` has it for both kinds of caches.
public typealias LoadError = CacheCore.LoadError
/// What a cache did so far, in figures.
public typealias GroupStatistics = CacheCore.GroupStatistics
/// Keeps loads away from a source that does not answer; caches of one source share one.
public typealias CircuitBreaker = CacheCore.CircuitBreaker
/// Names what ``LoadingCache/observe(_:)`` began.
public typealias Observation = CacheCore.Observation
