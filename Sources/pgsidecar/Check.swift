import ArgumentParser
import Glibc
import Postgres
import SidecarApp

/// `pgsidecar check`
struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Look for mistakes in a settings file, and with --connect in its queries.",
        discussion: """
            Every mistake is told with its line and with what would be right:
              pgsidecar.yaml:7:5: groups.account.tll: unknown key; did you mean 'ttl'?

            With --connect it also connects to the database and has it describe each group's query, without running one; with \
            --verbose it prints what it was told. `pgsidecar doctor` looks at all the rest.

            Example:
              pgsidecar check --config Config/pgsidecar.yaml --connect --verbose
            """
    )

    @OptionGroup var config: ConfigOption

    @Flag(help: "Also ask the database whether it can be reached and takes each query.")
    var connect = false

    @Flag(help: "With --connect, also print each group's parameters and columns with their types.")
    var verbose = false

    func validate() throws {
        if verbose, !connect { throw ValidationError("--verbose tells what the database says: add --connect") }
    }

    func run() async throws {
        try await reportingErrors {
            let settings = try config.load()
            if connect {
                try await logging(settings.log) { log in
                    let descriptions = try await Sidecar.checkDatabase(settings, logger: log.logger)
                    if verbose { for description in descriptions { show(description.lines) } }
                }
            }
            let groups = settings.groups.count
            // Not a mistake: another machine may be meant, and systemd makes the folder when it starts the service.
            for note in settings.notes { show("\(config.config): note: \(note)", on: STDERR_FILENO) }
            show("\(config.config): \(groups) \(groups == 1 ? "group" : "groups"), no mistakes")
        }
    }
}

extension GroupDescription {
    /// For people: the group, then its parameters and its columns, each with its type.
    fileprivate var lines: String {
        let parameters = parameters.enumerated().map { (name: "$\($0 + 1)", type: $1) }
        let rows = parameters + columns.map { ($0.name, $0.type) }
        let width = rows.map(\.name.count).max() ?? 0
        let lines = rows.map { name, type in
            "  \(name)\(String(repeating: " ", count: width - name.count))  \(type)"
        }
        return (["\(group):"] + lines).joined(separator: "\n")
    }
}
