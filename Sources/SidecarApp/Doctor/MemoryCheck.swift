import Machine
import Server

/// Whether there is the memory that the settings speak of.
enum MemoryCheck {
    /// Code, stacks, connections, tables of clients.
    private static let rest = 64 << 20
    /// Hundredths of the limit that the sidecar may come to, at all its bounds.
    private static let share = 90

    static func findings(_ settings: Settings) -> [Finding] {
        guard let limit = MemoryLimit.ofThisProcess() else {
            return [.warn("the kernel does not tell what memory there is")]
        }
        let buffers = settings.listen.maxBuffers + settings.listen.maxTracking + rest
        let wanted = settings.memory + buffers
        let seen =
            "\(text(settings.memory)) for entries, up to \(text(buffers)) for all else; "
            + "\(limit.owner) has \(text(limit.bytes))"
        let bound = limit.bytes / 100 * share
        guard wanted > bound else { return [.ok(seen)] }
        let fitting = max(bound - buffers, limit.bytes / 4) >> 20
        let severity = settings.memory > bound ? Finding.Severity.fail : .warn
        return [
            Finding(
                severity: severity, seen: seen,
                remedies: [fitting > 0 ? .set("memory: \(fitting)MiB") : .advice("give it more memory")])
        ]
    }

    private static func text(_ bytes: Int) -> String { "\(bytes >> 20) MiB" }
}
