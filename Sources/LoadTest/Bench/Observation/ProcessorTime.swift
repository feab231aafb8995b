import Glibc
import Machine
import PrivateDatabase

/// Processor time of other processes on this machine, in seconds, as `proc(5)` has it.
enum ProcessorTime {
    /// Of a process; nil when there is none.
    static func of(_ process: Int32) -> Double? {
        fields(process).map { seconds($0.user + $0.system) }
    }

    /// Of a process and of all that it started, those that have ended among them; nil when there is none.
    static func ofTree(_ process: Int32) -> Double? {
        guard let root = fields(process) else { return nil }
        let children = Folder.names(in: "/proc").compactMap { Int32($0) }.compactMap { fields($0) }
            .filter { $0.parent == process }
        return seconds(
            root.user + root.system + root.endedChildren
                + children.reduce(0) { $0 + $1.user + $1.system + $1.endedChildren })
    }

    /// The name of a process' program; nil when there is none.
    static func name(of process: Int32) -> String? {
        (try? textOfFile("/proc/\(process)/comm")).map { String($0.prefix { $0 != "\n" }) }
    }

    /// The process that started another one; nil when there is none.
    static func parent(of process: Int32) -> Int32? { fields(process)?.parent }

    private struct Fields {
        var parent: Int32
        var user: Int
        var system: Int
        var endedChildren: Int
    }

    private static func fields(_ process: Int32) -> Fields? {
        guard let text = try? textOfFile("/proc/\(process)/stat"),
            let bracket = text.lastIndex(of: ")")
        else { return nil }
        // Behind the name in brackets, which may hold anything, the third field comes first.
        let words = text[text.index(after: bracket)...].split(separator: " ")
        func number(_ field: Int) -> Int { words.indices.contains(field - 3) ? Int(words[field - 3]) ?? 0 : 0 }
        return Fields(
            parent: Int32(clamping: number(4)), user: number(14), system: number(15),
            endedChildren: number(16) + number(17))
    }

    private static func seconds(_ ticks: Int) -> Double { Double(ticks) / Double(sysconf(Int32(_SC_CLK_TCK))) }
}
