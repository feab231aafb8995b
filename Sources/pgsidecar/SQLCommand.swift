import ArgumentParser
import Glibc
import SidecarApp

/// `pgsidecar sql`
struct SQLCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sql",
        abstract: "What the database needs so that it tells of changes: show it, apply it, look at it, remove it.",
        discussion: """
            The settings' `invalidation` section and the groups' `invalidate_on` say what is needed. All of these connect to the \
            database to see what is there.

            Example:
              pgsidecar sql install --config pgsidecar.yaml            the SQL that is missing, to be read or kept
              pgsidecar sql install --config pgsidecar.yaml --apply --database-url postgresql://owner@db/app
              pgsidecar sql status --config pgsidecar.yaml
            """,
        subcommands: [Install.self, Status.self, Uninstall.self]
    )

    /// `pgsidecar sql install`
    struct Install: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the SQL of what is missing or differs, or apply it.",
            discussion: """
                Whoever applies it needs to own the tables, and once the right to create a schema in the database. It waits \
                for a table's writers for five seconds at most; it may be run again at any time.
                """)

        @OptionGroup var source: SourceOptions
        @Flag(help: "Run the SQL instead of printing it.")
        var apply = false

        func run() async throws { try await source.carryOut(.install, applying: apply) }
    }

    /// `pgsidecar sql uninstall`
    struct Uninstall: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the SQL that removes what install made, or apply it.",
            discussion: """
                Settings files with the same channel share what is made for the same table and columns: run install for the \
                others again.
                """)

        @OptionGroup var source: SourceOptions
        @Flag(help: "Run the SQL instead of printing it.")
        var apply = false

        func run() async throws { try await source.carryOut(.uninstall, applying: apply) }
    }

    /// `pgsidecar sql status`
    struct Status: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Tell what is there and what differs.",
            discussion: "Exit codes: 0 everything is as it should be, 3 something is missing or differs.")

        @OptionGroup var source: SourceOptions

        func run() async throws {
            try await reportingErrors {
                let status = try source.load().status()
                for line in status.lines { show(line) }
                if !status.isComplete {
                    show("run: pgsidecar sql install --config \(source.config.config) --apply", on: STDERR_FILENO)
                    throw ExitCode(3)
                }
            }
        }
    }
}

/// What all `pgsidecar sql` commands take.
struct SourceOptions: ParsableArguments {
    @OptionGroup var config: ConfigOption

    @Option(
        help: ArgumentHelp(
            "Where to connect as an administrator (default: invalidation.url, or database.url).", valueName: "url"))
    var databaseURL: String?

    func load() throws -> ChangeSourceSQL {
        try ChangeSourceSQL(config.load(), url: databaseURL)
    }

    func carryOut(_ task: ChangeSourceSQL.Task, applying: Bool) async throws {
        try await reportingErrors {
            guard applying else {
                let sql = try load().sql(for: task)
                return show(sql.isEmpty ? "-- nothing to do" : sql)
            }
            show(try load().apply(task) ? "done" : "nothing to do")
        }
    }
}
