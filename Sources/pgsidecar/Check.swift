import ArgumentParser
import Glibc
import SidecarApp

/// `pgsidecar check`
struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Look for mistakes in a settings file, and with --connect in its queries.",
        discussion: """
            Every mistake is told with its line and with what would be right:
              pgsidecar.yaml:7:5: groups.account.tll: unknown key; did you mean 'ttl'?

            With --connect it also connects to the database and has it describe each group's query, without running one.

            Example:
              pgsidecar check --config Config/pgsidecar.yaml
            """
    )

    @OptionGroup var config: ConfigOption

    @Flag(help: "Also ask the database whether it can be reached and takes each query.")
    var connect = false

    func run() async throws {
        try await reportingErrors {
            let settings = try config.load()
            if connect {
                try await logging(settings.log) { log in
                    try await Sidecar.checkDatabase(settings, logger: log.logger)
                }
            }
            let groups = settings.groups.count
            // Not a mistake: another machine may be meant, and systemd makes the folder when it starts the service.
            for note in settings.notes { show("\(config.config): note: \(note)", on: STDERR_FILENO) }
            show("\(config.config): \(groups) \(groups == 1 ? "group" : "groups"), no mistakes")
        }
    }
}
