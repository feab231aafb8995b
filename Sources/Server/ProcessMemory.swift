import CLinux
import CacheCore

/// What the process allocated and did not give back, measured at one moment.
package struct ProcessMemory: Sendable {
    /// What malloc handed out: for clients, connections and all else that is no entry. Redis' `used_memory_overhead`.
    package let overhead: Int
    /// The pages of the cache: entries, their index, and room that is kept for more. Redis' `used_memory_dataset`.
    package let dataset: Int

    /// Both. Redis' `used_memory`.
    package var allocated: Int { overhead + dataset }

    /// Measures.
    package static func now() -> ProcessMemory {
        ProcessMemory(overhead: Int(clamping: pgs_allocated_bytes()), dataset: Cache.pageBytes)
    }
}
