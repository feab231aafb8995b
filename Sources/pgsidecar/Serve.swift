import ArgumentParser
import Machine
import SidecarApp

/// `pgsidecar serve`
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve the groups of a settings file.",
        discussion: """
            Runs until SIGTERM or SIGINT; then it stops accepting, answers what is in flight (at most `drain_timeout`) and \
            ends. A second signal ends it at once. SIGHUP has it read the settings again. It takes a socket from systemd (LISTEN_FDS) and tells systemd when it \
            is ready; Config/pgsidecar.service is an example.

            Example:
              pgsidecar serve --config Config/minimal.yaml
              redis-cli -s /run/pgsidecar/pgsidecar.sock GET account:4711
            """
    )

    @OptionGroup var config: ConfigOption

    @Flag(help: "Don't start when the database refuses a group's query. (Otherwise the other groups are served.)")
    var strict = false

    func run() async throws {
        try await reportingErrors {
            let settings = try config.load()
            try await logging(settings.log) { log in
                let source = ReloadSource(path: config.config, environment: environmentVariables(), log: log)
                try await Sidecar(
                    settings: settings, logger: log.logger, isStrict: strict, reloadSource: source
                ).run()
            }
        }
    }
}

/// `--config FILE`
struct ConfigOption: ParsableArguments {
    @Option(name: .long, help: ArgumentHelp("The settings file (YAML).", valueName: "file"))
    var config: String

    func load() throws -> Settings { try Self.load(config) }

    static func load(_ path: String) throws -> Settings {
        try Settings.load(from: path, environment: environmentVariables())
    }
}
