import CLinux
import Glibc
import Machine

extension RunDescription.Machine {
    /// This machine.
    static var this: Self {
        let text = (try? textOfFile("/proc/cpuinfo")) ?? ""
        let model = text.split(separator: "\n").first { $0.hasPrefix("model name") }
        let processor = model?.split(separator: ":").last.map { String($0.drop { $0 == " " }) } ?? "unknown"
        var name = utsname()
        uname(&name)
        let kernel = withUnsafeBytes(of: name.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        return Self(
            processor: processor, cores: Int(pgs_processor_count()),
            memoryBytes: sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE)), kernel: kernel)
    }
}

extension RunDescription {
    /// The time of day as ISO 8601 in UTC, to a second.
    static var timeOfDay: String {
        var now = time(nil)
        var parts = tm()
        gmtime_r(&now, &parts)
        var text = [CChar](repeating: 0, count: 32)
        let count = strftime(&text, text.count, "%Y-%m-%dT%H:%M:%SZ", &parts)
        return String(decoding: text.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
