package import CacheCore

/// What a server tells in `INFO` and `CONFIG GET` about the rest of the process.
public struct ServerInformation: Sendable {
    /// The bound on the cache's bytes (the setting `memory`).
    public var memoryLimit: @Sendable () -> Int
    /// The bytes that the cache takes now.
    public var memoryUsed: @Sendable () -> Int
    /// The lines of the `database` section, by name. Called on a loop, so it must not block.
    public var database: @Sendable () -> [(name: String, value: String)]
    /// The lines of the `invalidation` section, likewise.
    public var invalidation: @Sendable () -> [(name: String, value: String)] = { [] }

    /// The lines of the `settings` section, likewise.
    public var settings: @Sendable () -> [(name: String, value: String)] = { [] }

    /// The loads that took long; nil: they are not noted.
    package var slowLoads: SlowLoads?

    /// Bundles what the composition root knows.
    public init(
        memoryLimit: @autoclosure @escaping @Sendable () -> Int, memoryUsed: @escaping @Sendable () -> Int,
        database: @escaping @Sendable () -> [(name: String, value: String)] = { [] }
    ) {
        self.memoryLimit = memoryLimit
        self.memoryUsed = memoryUsed
        self.database = database
    }
}
