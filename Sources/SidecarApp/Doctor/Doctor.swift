import Logging
import Postgres

/// Looks at all that a sidecar needs, on this machine and in the database, before or while one serves. Changes nothing.
public struct Doctor: Sendable {
    private let settings: Settings
    private let file: String

    /// A doctor for the settings of a file, whose name stands in the commands that mend something.
    public init(_ settings: Settings, file: String) {
        (self.settings, self.file) = (settings, file)
    }

    /// What is looked at on this machine, each with its name in the report, in the order of the report.
    private static let machineChecks: [(name: String, look: @Sendable (Settings) -> [Finding])] = [
        ("socket", SocketCheck.findings),
        ("descriptors", DescriptorCheck.findings),
        ("memory", MemoryCheck.findings),
    ]

    /// What is looked at in the database.
    private static let databaseChecks: [(name: String, look: @Sendable (Examination) throws -> [Finding])] = [
        ("pooler", PoolerCheck.findings),
        ("connections", ConnectionCheck.findings),
        ("queries", QueryCheck.findings),
        ("role", RoleCheck.findings),
        ("scans", ScanCheck.findings),
        ("changes", ChangeCheck.findings),
    ]

    /// Looks at everything. What can't be looked at since the database can't be reached is left out; that it can't is a finding.
    /// Blocks now and then.
    public func examine() async -> [Finding] {
        var findings: [Finding] = []
        func add(_ name: String, _ found: [Finding]) {
            for var finding in found {
                finding.check = name
                findings.append(finding)
            }
        }
        for (name, look) in Self.machineChecks { add(name, look(settings)) }
        let examination: Examination
        do {
            examination = try await Examination(settings, file: file)
            add("database", [.ok(examination.server.description)])
        } catch {
            let advice =
                "psql with the same URL, as the same user, tells whether it is the way, the password or pg_hba.conf"
            add("database", [.fail("can't be reached: \(error)", .advice(advice))])
            return findings
        }
        for (name, look) in Self.databaseChecks {
            do {
                add(name, try look(examination))
            } catch {
                add(name, [.fail("the database refuses to tell: \(error)")])
            }
        }
        let isSound = !findings.contains { $0.check == "changes" && $0.severity == .fail }
        if isSound { add("stream", await StreamCheck.findings(settings)) }
        return findings
    }
}
