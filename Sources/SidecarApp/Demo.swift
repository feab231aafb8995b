import Glibc
import Machine
import PrivateDatabase

/// The demo: pgbench's tables, served by the settings in `Config/demo.yaml`, from a private PostgreSQL or a given one.
///
/// It is run from the repository's folder, whose `Config/` and `sql/demo/` it reads, and keeps what it makes below `run/`.
public struct Demo: Sendable {
    private let databaseURL: String?
    private let socket: String
    private let write: Bool

    /// Prepares a demo.
    ///
    /// - Parameters:
    ///   - databaseURL: The database to use; nil starts a private PostgreSQL, which goes when the demo ends.
    ///   - socket: The path to listen at; nil is `run/pgsidecar.sock`.
    ///   - write: Whether the demo's tables may be made in the given database, if it has none of them.
    public init(databaseURL: String?, socket: String?, write: Bool) {
        self.databaseURL = databaseURL
        self.socket = socket ?? "run/pgsidecar.sock"
        self.write = write
    }

    /// Serves until SIGTERM or SIGINT, and cleans up.
    ///
    /// - Parameter say: Shows a line to the user.
    public func run(say: @escaping @Sendable (String) -> Void) async throws {
        guard Folder.exists(Self.settingsFile) else {
            throw StartupError(.demoFilesMissing, "there is no \(Self.settingsFile) here; run it in pgsidecar's folder")
        }
        try Folder.make("run")
        if let databaseURL {
            try await prepare(databaseURL)
            try await serve(databaseURL, say)
        } else {
            say("starting a private PostgreSQL below run/ ...")
            let postgres = try await PrivatePostgres(in: "run/demo-\(getpid())")
            do {
                try await postgres.psql(files: Self.scripts)
                try await serve(postgres.url, say)
            } catch {
                await postgres.remove()
                throw error
            }
            await postgres.remove()
        }
    }

    private static let settingsFile = "Config/demo.yaml"
    static let scripts = ["sql/demo/schema.sql", "sql/demo/data.sql", "sql/demo/notify.sql"]

    private func serve(_ url: String, _ say: @escaping @Sendable (String) -> Void) async throws {
        var environment = environmentVariables()
        environment["DATABASE_URL"] = url
        environment["PGSIDECAR_SOCKET"] = socket
        environment["PGSIDECAR_SOURCE"] = nil
        var settings = try Settings.load(from: Self.settingsFile, environment: environment)
        // A given database that has not its triggers is only read all the same.
        let tells = try ChangeSourceSQL(settings).status().isComplete
        if !tells {
            environment["PGSIDECAR_SOURCE"] = "none"
            settings = try Settings.load(from: Self.settingsFile, environment: environment)
        }
        let path = pasteable(socket)
        let log = LogWriter(settings.log)
        defer { log.finish() }
        try await Sidecar(settings: settings, logger: log.logger).run {
            say(
                """

                pgsidecar is ready. Ask it, from another terminal:

                    redis-cli -s \(path) GET account:4711
                    redis-cli -s \(path) GET teller:1:7
                    redis-cli -s \(path) GET tellers:1

                The database behind it\(tells ? ", where what you change is seen by the next GET" : ""): psql '\(shown(url))'
                Ctrl-C ends it.

                """)
        }
    }

    /// Sees that a given database has the demo's tables, and makes them only when that was asked for.
    func prepare(_ url: String) async throws {
        let programs = try await PostgresPrograms.find()
        let psql = Psql(program: programs["psql"], url: url)
        let tables = ["pgbench_accounts", "pgbench_branches", "pgbench_tellers"]
        let found: String
        do {
            let names = tables.map { "to_regclass('\($0)')" }.joined(separator: ", ")
            found = try await psql.run("select num_nonnulls(\(names))")
        } catch let failure as ProgramFailure {
            throw StartupError(.databaseUnreachable, "can't use the database that was given: \(failure.output)")
        }
        if found == "\(tables.count)" { return }
        guard write, found == "0" else {
            throw StartupError(
                .demoTablesMissing,
                """
                the database has not all of the demo's tables (\(tables.joined(separator: ", "))), and nothing was written to it.
                Make them with `pgsidecar demo --write` or `pgbench -i`, or unset DATABASE_URL for a private PostgreSQL.
                """)
        }
        try await psql.run(files: Self.scripts)
    }

    /// A socket's path as a shell takes it from any folder; as it was given where the whole path is too long for a socket.
    private func pasteable(_ socket: String) -> String {
        let whole = socket.hasPrefix("/") ? socket : Folder.resolved(".") + "/" + socket
        let path = whole.utf8.count <= 107 ? whole : socket
        return path.contains(" ") ? "'\(path)'" : path
    }

    /// A URL to show, without its password.
    private func shown(_ url: String) -> String {
        Psql(program: "", url: url).withoutPassword.url
    }
}
