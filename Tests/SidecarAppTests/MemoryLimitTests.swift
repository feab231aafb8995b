import Foundation
import Machine
import TestSupport
import Testing

/// What memory there is, as the kernel's files tell it.
@Suite struct MemoryLimitTests {
    /// The limit in a tree of files, by their paths.
    private func limit(_ files: [String: String]) throws -> MemoryLimit? {
        let root = temporaryPath()
        defer { try? FileManager.default.removeItem(atPath: root) }
        for (path, text) in files {
            let file = URL(fileURLWithPath: "\(root)/\(path)")
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try text.write(to: file, atomically: true, encoding: .utf8)
        }
        return MemoryLimit.ofThisProcess(below: root)
    }

    private let machine = ["proc/meminfo": "MemTotal:        4000000 kB\nMemFree:  1 kB\n"]

    @Test func `without control groups it is the machine's`() throws {
        #expect(try limit(machine) == MemoryLimit(bytes: 4_096_000_000, owner: "the machine"))
        #expect(try limit([:]) == nil)
    }

    @Test func `the lowest of all control groups above counts`() throws {
        var files = machine
        files["proc/self/cgroup"] = "0::/system.slice/pgsidecar.service\n"
        files["sys/fs/cgroup/system.slice/pgsidecar.service/memory.max"] = "max\n"
        files["sys/fs/cgroup/system.slice/memory.max"] = "1000000\n"
        #expect(try limit(files) == MemoryLimit(bytes: 1_000_000, owner: "the control group /system.slice"))
        files["sys/fs/cgroup/system.slice/pgsidecar.service/memory.max"] = "500000\n"
        #expect(
            try limit(files) == MemoryLimit(bytes: 500_000, owner: "the control group /system.slice/pgsidecar.service"))
    }

    @Test func `in a container the top is its own`() throws {
        var files = machine
        files["proc/self/cgroup"] = "0::/../nowhere/here\n"
        files["sys/fs/cgroup/memory.max"] = "700000\n"
        #expect(try limit(files) == MemoryLimit(bytes: 700_000, owner: "the control group /"))
    }

    @Test func `control groups of version 1 count, and no limit there is none`() throws {
        var files = machine
        files["proc/self/cgroup"] = "12:cpu,cpuacct:/app\n9:memory:/app\n"
        files["sys/fs/cgroup/memory/app/memory.limit_in_bytes"] = "9223372036854771712\n"
        #expect(try limit(files)?.owner == "the machine")
        files["sys/fs/cgroup/memory/app/memory.limit_in_bytes"] = "600000\n"
        #expect(try limit(files) == MemoryLimit(bytes: 600_000, owner: "the control group /app"))
    }
}
