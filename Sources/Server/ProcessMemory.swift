import CLinux
import CacheCore
import Glibc

/// What the process takes, measured.
enum ProcessMemory {
    /// What was allocated and not given back: by malloc, and in pages by the cache. Redis' `used_memory`.
    static var allocated: Int { Int(clamping: pgs_allocated_bytes()) + Cache.pageBytes }

    /// What the kernel says is in memory, file-backed pages included; 0 when it does not say (proc(5), statm).
    static var resident: Int {
        guard let file = fopen("/proc/self/statm", "re") else { return 0 }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 128)
        guard fgets(&line, Int32(line.count), file) != nil else { return 0 }
        let fields = line.prefix { $0 != 0 }.split(separator: CChar(UInt8(ascii: " ")))
        let pages = fields.dropFirst().first.flatMap { field in
            Int(String(decoding: field.map { UInt8(bitPattern: $0) }, as: UTF8.self))
        }
        return (pages ?? 0) * sysconf(Int32(_SC_PAGESIZE))
    }
}
