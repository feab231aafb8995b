import Glibc

/// The machine code of the program and its libraries, as far as the process holds pages of it.
enum ProgramText {
    /// Gives back all pages. Those that are used again come back from the kernel's file cache, some at a time, at a
    /// microsecond or so.
    ///
    /// Most of what was run until now is run only once: reading settings, making log lines, the dynamic linker's look at
    /// libraries that libpq wants for what few use. Only serving is what the process should be seen to hold.
    static func release() {
        guard let maps = fopen("/proc/self/maps", "re") else { return }
        defer { fclose(maps) }
        var line: UnsafeMutablePointer<CChar>?
        var capacity = 0
        defer { free(line) }
        while getline(&line, &capacity, maps) > 0, let text = line.map({ String(cString: $0) }) {
            guard let mapping = CodeMapping(text) else { continue }
            madvise(mapping.start, mapping.byteCount, MADV_DONTNEED)
        }
    }
}

/// A mapping of a file that is executed and, as nothing may write to it, the same as the file: dropping a page of it loses
/// nothing. (A mapping that is only read now may have been written to before, by the dynamic linker.)
struct CodeMapping: Equatable {
    let start: UnsafeMutableRawPointer
    let byteCount: Int

    /// From a line of /proc/self/maps (proc(5)): `start-end permissions offset device inode path`. Nil for other mappings.
    init?(_ line: String) {
        let fields = line.split(separator: " ", omittingEmptySubsequences: true)
        guard fields.count >= 6, fields[1] == "r-xp", fields[4] != "0" else { return nil }
        let bounds = fields[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
        guard bounds.count == 2, bounds[0] < bounds[1], let start = UnsafeMutableRawPointer(bitPattern: bounds[0])
        else { return nil }
        self.start = start
        byteCount = Int(bounds[1] - bounds[0])
    }
}
