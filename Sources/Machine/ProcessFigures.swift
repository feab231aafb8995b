import Glibc

/// What the process takes of the machine, as the kernel tells it. What it does not tell is 0.
package struct ProcessFigures: Sendable, Equatable {
    /// Processor time in the program, in seconds.
    package var userSeconds = 0.0
    /// Processor time in the kernel on its behalf, in seconds.
    package var systemSeconds = 0.0
    /// Bytes in memory, file-backed pages included.
    package var residentBytes = 0
    /// Bytes of address space.
    package var virtualBytes = 0
    /// File descriptors that are open.
    package var openDescriptors = 0
    /// File descriptors that may be.
    package var maxDescriptors = 0

    /// Those of now: a few system calls, some tens of microseconds.
    package static func now() -> ProcessFigures {
        var figures = ProcessFigures()
        (figures.userSeconds, figures.systemSeconds) = processorTime
        (figures.virtualBytes, figures.residentBytes) = memory
        figures.openDescriptors = openDescriptorCount ?? 0
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
            figures.maxDescriptors = Int(clamping: limit.rlim_cur)
        }
        return figures
    }

    /// File descriptors that are open; nil when that can't be seen.
    package static var openDescriptorCount: Int? {
        guard let folder = opendir("/proc/self/fd") else { return nil }
        defer { closedir(folder) }
        var count = 0
        while readdir(folder) != nil { count += 1 }
        // Without `.`, `..` and the folder's own.
        return max(0, count - 3)
    }

    /// Processor time so far, in the program and in the kernel, in seconds.
    package static var processorSeconds: Double {
        let time = processorTime
        return time.user + time.system
    }

    private static var processorTime: (user: Double, system: Double) {
        var usage = rusage()
        guard getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 else { return (0, 0) }
        return (seconds(usage.ru_utime), seconds(usage.ru_stime))
    }

    /// Bytes in memory.
    package static var residentBytes: Int { memory.resident }

    /// proc(5), statm: pages of address space, then those in memory.
    private static var memory: (virtual: Int, resident: Int) {
        guard let file = fopen("/proc/self/statm", "re") else { return (0, 0) }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 128)
        guard fgets(&line, Int32(line.count), file) != nil else { return (0, 0) }
        let fields = line.prefix { $0 != 0 }.split(separator: CChar(UInt8(ascii: " "))).map { field in
            Int(String(decoding: field.map { UInt8(bitPattern: $0) }, as: UTF8.self)) ?? 0
        }
        guard fields.count >= 2 else { return (0, 0) }
        let page = sysconf(Int32(_SC_PAGESIZE))
        return (fields[0] * page, fields[1] * page)
    }

    private static func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1_000_000 }
}
