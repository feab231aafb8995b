import ArgumentParser
import Machine
import SidecarApp

/// `pgsidecar demo`
struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Serve pgbench's tables from a PostgreSQL of its own, to be tried with redis-cli.",
        discussion: """
            Run it in pgsidecar's folder. It starts a private PostgreSQL below run/, which goes when the demo ends, fills \
            it from sql/demo/, serves Config/demo.yaml and prints lines to paste.

            With a database given it uses that one and writes nothing to it, unless you say --write.

            Example:
              pgsidecar demo
              pgsidecar demo --database-url postgresql:///app --write
            """
    )

    @Option(
        help: ArgumentHelp("The database to use instead of a private one (default: $DATABASE_URL).", valueName: "url"))
    var databaseURL: String?

    @Option(help: ArgumentHelp("The socket to listen at (default: run/pgsidecar.sock).", valueName: "path"))
    var socket: String?

    @Flag(help: "Make the demo's tables in the given database if it has none of them.")
    var write = false

    func validate() throws {
        if write, url == nil { throw ValidationError("--write needs --database-url or DATABASE_URL") }
    }

    func run() async throws {
        try await reportingErrors {
            try await Demo(databaseURL: url, socket: socket, write: write)
                .run { show($0) }
        }
    }

    private var url: String? {
        let given = databaseURL ?? environmentVariables()["DATABASE_URL"]
        return given?.isEmpty == false ? given : nil
    }
}
