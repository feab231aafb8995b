import ArgumentParser
import Groundwork
import Machine
import Server
import SidecarApp
import Top

/// `pgsidecar top`
struct TopCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top",
        abstract: "Show what a running sidecar does, once a second.",
        discussion: """
            It asks over the sidecar's socket (INFO, SLOWLOG). `q` or Ctrl-C ends it. Where the output is no terminal it \
            prints the figures since the start once, and ends.

            Example:
              pgsidecar top --config /etc/pgsidecar/pgsidecar.yaml
              pgsidecar top --socket run/pgsidecar.sock
            """
    )

    @Option(help: ArgumentHelp("The settings file of the sidecar: its socket and password.", valueName: "file"))
    var config: String?

    @Option(
        help: ArgumentHelp(
            "The sidecar's socket (default: that of --config, or of a file without one).", valueName: "path"))
    var socket: String?

    func run() async throws {
        try await reportingErrors {
            let settings =
                try config.map { try Settings.load(from: $0, environment: environmentVariables()) } ?? Settings()
            try Top(socket: socket ?? settings.listen.socket, password: settings.listen.password).run { show($0) }
        }
    }
}
