import Foundation
import Glibc

/// A PostgreSQL server of one's own: for the demo, and for tests that need a real one.
///
/// It listens on a Unix socket only, trusts whoever reaches it, keeps nothing across a crash (`fsync` is off), and goes
/// with its folder when this process ends, however that ends. When this process is root, the server runs as the user
/// `postgres`, because PostgreSQL refuses to run as root.
public actor PrivatePostgres {
    /// The folder that has the server's data (`data`), its log (`postgres.log`) and its socket. It is the one that was
    /// asked for, or one under /tmp where that is too deep for a Unix socket or out of the server's reach.
    public nonisolated let folder: String
    /// The folder of the server's Unix socket: what `PGHOST` takes.
    public nonisolated var socketFolder: String { folder }
    /// A connection URL for the superuser `postgres` and the database `postgres`.
    public nonisolated var url: String {
        let host = folder.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? folder
        return "postgresql:///postgres?host=\(host)&user=postgres"
    }

    private nonisolated let programs: PostgresPrograms
    private let guardian: Guardian
    private var server: Process?

    /// Makes a new server and starts it; about a second.
    ///
    /// - Parameters:
    ///   - folder: A folder to make, or an empty one. It is removed at the end.
    ///   - settings: Lines for `postgresql.conf`, such as `max_connections: "20"`.
    /// - Throws: `PrivatePostgresError` or `ProgramFailure`, each with what PostgreSQL said.
    public init(in folder: String, settings: [String: String] = [:]) async throws {
        programs = try await PostgresPrograms.find()
        let home = try Home(at: folder)
        self.folder = home.path
        guardian = try Guardian(home: home.path, folders: home.folders)
        do {
            try await initialize(with: settings)
            try await start()
        } catch {
            await guardian.finish()
            throw error
        }
    }

    /// The process id of the postmaster; nil while the server is stopped.
    public var processIdentifier: Int32? {
        server.flatMap { $0.isRunning ? $0.processIdentifier : nil }
    }

    /// Starts the server over the data that it left, and returns when it takes connections.
    public func start() async throws {
        guard processIdentifier == nil else { return }
        let process = Program(command: []).makeProcess(
            command: Home.commandAsServerUser([programs["postgres"], "-D", "\(folder)/data"], in: folder))
        let log = try FileHandle(forWritingTo: URL(fileURLWithPath: "\(folder)/postgres.log"))
        try log.seekToEnd()
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = log
        process.standardError = log
        // A killed server leaves its file with the status of then.
        try? FileManager.default.removeItem(atPath: "\(folder)/data/postmaster.pid")
        try process.run()
        server = process
        let settled = await eventually(within: .seconds(30)) { !process.isRunning || isReady }
        guard settled, process.isRunning else {
            await kill()
            throw PrivatePostgresError("PostgreSQL did not start; it said:\n\(logTail)")
        }
    }

    /// Shuts the server down fast (open transactions are rolled back), and kills it when it takes over ten seconds. Its
    /// data stays, for `start()`.
    public func stop() async {
        guard let server else { return }
        resume()
        // SIGINT is the fast shutdown; SIGTERM would wait for clients to leave.
        server.interrupt()
        if await eventually(within: .seconds(10), { !server.isRunning }) { return }
        await kill()
    }

    /// Kills every process of the server at once, as a crash would.
    public func kill() async {
        send(SIGKILL)
        await eventually(within: .seconds(10)) { members.isEmpty && server?.isRunning != true }
    }

    /// Stops every process of the server with SIGSTOP: it hangs, and its connections stay open.
    public func suspend() {
        send(SIGSTOP)
    }

    /// Lets a suspended server go on.
    public func resume() {
        send(SIGCONT)
    }

    /// Ends the server and removes its folder.
    public func remove() async {
        await stop()
        await guardian.finish()
    }

    /// Runs SQL with `psql`, as the superuser.
    ///
    /// - Parameters:
    ///   - sql: One or more statements, which run as one transaction unless they say otherwise.
    ///   - database: The database to run it in.
    /// - Returns: The result's rows, columns parted by `|`, without headings.
    /// - Throws: `ProgramFailure` with PostgreSQL's error.
    public nonisolated func psql(_ sql: String, database: String = "postgres") async throws -> String {
        try await Psql(program: programs["psql"], url: url + "&dbname=\(database)").run(sql)
    }

    /// Runs SQL files with `psql`, as the superuser and as one transaction.
    public nonisolated func psql(files: [String], database: String = "postgres") async throws {
        try await Psql(program: programs["psql"], url: url + "&dbname=\(database)").run(files: files)
    }
}

extension PrivatePostgres {
    /// Runs `initdb` and writes the settings.
    private func initialize(with settings: [String: String]) async throws {
        let data = "\(folder)/data"
        let initdb = [
            programs["initdb"], "--pgdata", data, "--username", "postgres", "--auth", "trust", "--encoding", "UTF8",
            "--locale", "C", "--no-sync",
        ]
        _ = try await Program(command: Home.commandAsServerUser(initdb, in: folder)).run()
        var all = [
            "listen_addresses": "", "unix_socket_directories": folder, "fsync": "off", "synchronous_commit": "off",
            "full_page_writes": "off", "max_wal_size": "256MB", "log_statement": "none",
        ]
        if await programs.hasStatementStatistics() {
            all["shared_preload_libraries"] = "pg_stat_statements"
            all["pg_stat_statements.track"] = "top"
        }
        all.merge(settings) { _, callers in callers }
        let lines = all.sorted { $0.key < $1.key }.map { name, value in
            "\(name) = '\(value.replacingOccurrences(of: "'", with: "''"))'\n"
        }
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: "\(data)/postgresql.conf"))
        try file.seekToEnd()
        try file.write(contentsOf: Data(lines.joined().utf8))
        try file.close()
    }

    /// Whether the postmaster wrote that it takes connections: line 8 of its file, as `pg_ctl` reads it
    /// (PostgreSQL's `src/include/utils/pidfile.h`).
    private var isReady: Bool {
        let text = try? String(contentsOfFile: "\(folder)/data/postmaster.pid", encoding: .utf8)
        let lines = text?.split(separator: "\n", omittingEmptySubsequences: false) ?? []
        return lines.count > 7 && lines[7].hasPrefix("ready")
    }

    /// The last lines of the server's log.
    private var logTail: String {
        let text = (try? String(contentsOfFile: "\(folder)/postgres.log", encoding: .utf8)) ?? ""
        return text.split(separator: "\n").suffix(10).joined(separator: "\n")
    }

    /// The server's processes: all that have its data folder as their working folder.
    private var members: [pid_t] {
        let data = "\(folder)/data"
        let processes = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return processes.compactMap { pid_t($0) }.filter {
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\($0)/cwd")) == data
        }
    }

    private func send(_ signal: Int32) {
        for process in members { _ = Glibc.kill(process, signal) }
    }
}
