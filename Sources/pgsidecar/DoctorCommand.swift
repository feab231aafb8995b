import ArgumentParser
import FoundationEssentials
import SidecarApp

/// `pgsidecar doctor`
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Look at all that a sidecar needs, and tell what mends what is wrong.",
        discussion: """
            It looks at the socket's folder, the limits of this machine, the way to the database, the role, each query's plan, \
            and what tells of changes; before a sidecar is started or while it serves. It changes nothing. Run it as the \
            user that the sidecar runs as.

            Each line is ok, warn or fail, and below it stands what mends it: a command to run, SQL for the tables' owner or \
            the server's administrator, or a line to set in the settings file.

            Exit codes: 0 all is ok, 3 there are warnings, 4 something fails, 78 wrong settings.

            Example:
              pgsidecar doctor --config /etc/pgsidecar/pgsidecar.yaml
            """
    )

    @OptionGroup var config: ConfigOption

    @Flag(help: "Print an object of JSON instead of lines.")
    var json = false

    func run() async throws {
        try await reportingErrors {
            let findings = await Doctor(try config.load(), file: config.config).examine()
            if json {
                let encoder = JSONEncoder()
                encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
                show(String(decoding: try encoder.encode(["findings": findings]), as: UTF8.self))
            } else {
                for finding in findings { show(finding.lines) }
            }
            if findings.contains(where: { $0.severity == .fail }) { throw ExitCode(4) }
            if findings.contains(where: { $0.severity == .warn }) { throw ExitCode(3) }
        }
    }
}

extension Finding {
    private static let column = 13

    /// For people: how it stands, what was looked at, what was seen; then what mends it.
    fileprivate var lines: String {
        let margin = String(repeating: " ", count: 6 + Self.column)
        let name = check + String(repeating: " ", count: max(1, Self.column - check.count))
        let level = severity.rawValue + String(repeating: " ", count: max(1, 6 - severity.rawValue.count))
        let steps = remedies.map { "\n\(margin)\($0.kind.rawValue): \($0.text)" }.joined()
        return level + name + seen.split(separator: "\n").joined(separator: "\n\(margin)") + steps
    }
}
