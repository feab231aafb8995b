/// The memory that this process may have at most, and what says so.
package struct MemoryLimit: Sendable, Equatable {
    /// Bytes.
    package let bytes: Int
    /// `the machine`, or the control group that has a lower limit.
    package let owner: String

    /// A limit of an owner.
    package init(bytes: Int, owner: String) {
        (self.bytes, self.owner) = (bytes, owner)
    }

    /// The lowest of what the machine has and what the control groups of this process allow; nil when the kernel tells nothing.
    ///
    /// - Parameter root: What the kernel's files are below: nothing, but for tests.
    package static func ofThisProcess(below root: String = "") -> MemoryLimit? {
        let machine = machineBytes(root).map { MemoryLimit(bytes: $0, owner: "the machine") }
        return (controlGroupLimits(root) + [machine].compactMap { $0 }).min { $0.bytes < $1.bytes }
    }

    /// `MemTotal` of /proc/meminfo (proc(5)).
    private static func machineBytes(_ root: String) -> Int? {
        guard let text = try? textOfFile("\(root)/proc/meminfo") else { return nil }
        let line = text.split(separator: "\n").first { $0.hasPrefix("MemTotal:") }
        return line?.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 << 10 }
    }

    /// The limits of this process's control group and those above it, in version 2 (`0::/path`) or 1 (`9:memory:/path`) of
    /// cgroups(7). In a container the path may lead nowhere, and its top is the container's own.
    private static func controlGroupLimits(_ root: String) -> [MemoryLimit] {
        guard let text = try? textOfFile("\(root)/proc/self/cgroup") else { return [] }
        return text.split(separator: "\n").flatMap { line -> [MemoryLimit] in
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { return [] }
            if fields[1].isEmpty { return limits("\(root)/sys/fs/cgroup", fields[2], "memory.max") }
            guard fields[1].split(separator: ",").contains("memory") else { return [] }
            return limits("\(root)/sys/fs/cgroup/memory", fields[2], "memory.limit_in_bytes")
        }
    }

    private static func limits(_ folder: String, _ path: Substring, _ file: String) -> [MemoryLimit] {
        var limits: [MemoryLimit] = []
        var group = path
        repeat {
            while group.last == "/" { group.removeLast() }
            if let text = try? textOfFile("\(folder)\(group)/\(file)"), let bytes = Int(text.prefix { $0.isNumber }) {
                limits.append(MemoryLimit(bytes: bytes, owner: "the control group \(group.isEmpty ? "/" : group)"))
            }
            guard let slash = group.lastIndex(of: "/") else { break }
            group = group[..<slash]
        } while true
        return limits
    }
}
