import CLinux
import CacheCore

/// What the process allocated, measured.
package enum ProcessMemory {
    /// What was allocated and not given back: by malloc, and in pages by the cache. Redis' `used_memory`.
    package static var allocated: Int { Int(clamping: pgs_allocated_bytes()) + Cache.pageBytes }
}
