import Glibc

/// What the kernel says the process takes.
enum ResidentMemory {
    /// Bytes, file-backed ones included; 0 when the kernel does not say (proc(5), statm).
    static var bytes: Int {
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
