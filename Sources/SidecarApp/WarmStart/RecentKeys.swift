/// The keys that were asked for last, by group: what a restart begins with.
///
/// In a file: a line that names the format; for each group a line `group NAME COUNT`, and for each key its length in a line, its
/// bytes and a line's end; at last `end CHECKSUM`, FNV-1a of all before it.
struct RecentKeys: Sendable, Equatable {
    /// Those of each group, the last one asked for first.
    var groups: [String: [[UInt8]]] = [:]

    private static let header = "pgsidecar recent keys 1"
    /// Of the file, and so of all keys together.
    static let mostBytes = 64 << 20

    /// How a file has them; beyond ``mostBytes`` the last keys of the last groups are left out.
    var encoded: [UInt8] {
        var bytes = Array("\(Self.header)\n".utf8)
        var room = Self.mostBytes - (64 << 10)
        for (name, keys) in groups.sorted(by: { $0.key < $1.key }) {
            var fitting = keys[...]
            var size = 0
            for (index, key) in keys.enumerated() {
                size += key.count + 16
                if size > room {
                    fitting = keys[..<index]
                    break
                }
            }
            room -= min(room, size)
            bytes += Array("group \(name) \(fitting.count)\n".utf8)
            for key in fitting {
                bytes += Array("\(key.count)\n".utf8)
                bytes += key
                bytes.append(UInt8(ascii: "\n"))
            }
        }
        return bytes + Array("end \(Self.checksum(bytes[...]))\n".utf8)
    }

    /// No keys.
    init(_ groups: [String: [[UInt8]]] = [:]) {
        self.groups = groups
    }

    /// Those of a file; nil when it is not whole, or none of these.
    init?(_ bytes: [UInt8]) {
        var rest = bytes[...]
        guard Self.line(&rest) == Self.header else { return nil }
        while true {
            let end = rest.startIndex
            guard let line = Self.line(&rest) else { return nil }
            let words = line.split(separator: " ")
            if words.first == "end" {
                guard words.count == 2, rest.isEmpty, words[1] == Self.checksum(bytes[..<end]) else { return nil }
                return
            }
            guard words.count == 3, words[0] == "group", let count = Int(words[2]), count >= 0 else { return nil }
            var keys: [[UInt8]] = []
            for _ in 0..<count {
                guard let length = Self.line(&rest).flatMap({ Int($0) }), length >= 0, rest.count > length else {
                    return nil
                }
                keys.append(Array(rest.prefix(length)))
                rest = rest.dropFirst(length + 1)
            }
            groups[String(words[1])] = keys
        }
    }

    /// Whether another version of the program wrote a file: its first line names a format, and not this one.
    static func areOfOtherVersion(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        return line(&rest).map { $0.hasPrefix("pgsidecar ") && $0 != header } ?? false
    }

    /// A short line of text; nil when there is none.
    private static func line(_ rest: inout ArraySlice<UInt8>) -> String? {
        guard let end = rest.prefix(1024).firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        defer { rest = rest[(end + 1)...] }
        return String(validating: rest[..<end], as: UTF8.self)
    }

    private static func checksum(_ bytes: ArraySlice<UInt8>) -> String {
        String(bytes.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }, radix: 16)
    }
}
