import Glibc
import Machine

/// A PostgreSQL server of one's own: for the demo, and for tests that need a real one.
///
/// It listens on a Unix socket only, trusts whoever reaches it, keeps nothing across a crash (`fsync` is off), and goes
/// with its folder when this process ends, however that ends. When this process is root, the server runs as the user
/// `postgres`, because PostgreSQL refuses to run as root.
package actor PrivatePostgres {
    /// The folder that has the server's data (`data`), its log (`postgres.log`) and its Unix socket (`PGHOST` takes it).
    /// It is the one that was asked for, or one under /tmp where that is too deep for a Unix socket or out of the server's reach.
    package nonisolated let folder: String
    /// A connection URL for the superuser `postgres` and the database `postgres`.
    package nonisolated var url: String {
        let host = folder.utf8.map { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                String(UnicodeScalar(byte))
            default: "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }.joined()
        return "postgresql:///postgres?host=\(host)&port=\(port)&user=postgres"
    }

    private nonisolated let programs: PostgresPrograms
    /// The socket's name has it, too.
    private nonisolated let port: String
    private let reaper: Reaper
    private var server: ChildProcess?

    /// Makes a new server and starts it; about a second.
    ///
    /// - Parameters:
    ///   - folder: A folder to make, or an empty one. It is removed at the end.
    ///   - settings: Lines for `postgresql.conf`, such as `max_connections: "20"`.
    ///   - others: What else is removed with it, however this process ends.
    /// - Throws: `PrivatePostgresError` or `ProgramFailure`, each with what PostgreSQL said.
    package init(in folder: String, settings: [String: String] = [:], removing others: [String] = []) async throws {
        programs = try await PostgresPrograms.find()
        port = settings["port"] ?? "5432"
        let home = try Home(at: folder)
        self.folder = home.path
        reaper = try Reaper(home: home.path, folders: home.folders + others)
        do {
            try await initialize(with: settings)
            try await start()
        } catch {
            await reaper.finish()
            throw error
        }
    }

    /// The process id of the postmaster; nil while the server is stopped.
    package var processIdentifier: Int32? {
        server.flatMap { $0.isRunning ? $0.identifier : nil }
    }

    /// Starts the server over the data that it left, and returns when it takes connections.
    package func start() async throws {
        guard processIdentifier == nil else { return }
        let log = try Folder.openToAppend("\(folder)/postgres.log")
        defer { close(log) }
        // A killed server leaves its file with the status of then.
        unlink("\(folder)/data/postmaster.pid")
        let process = try ChildProcess(
            Program(command: Home.commandAsServerUser([programs["postgres"], "-D", "\(folder)/data"], in: folder)),
            output: log)
        server = process
        let settled = await comesTrue(within: .seconds(120)) { !process.isRunning || isReady }
        guard settled, process.isRunning else {
            await kill()
            throw PrivatePostgresError("PostgreSQL did not start; it said:\n\(logTail)")
        }
    }

    /// Shuts the server down fast (open transactions are rolled back), and kills it when it takes over ten seconds. Its
    /// data stays, for `start()`.
    package func stop() async {
        guard let server else { return }
        resume()
        // SIGINT is the fast shutdown; SIGTERM would wait for clients to leave.
        server.signal(SIGINT)
        if await comesTrue(within: .seconds(10), { !server.isRunning }) { return }
        await kill()
    }

    /// Kills every process of the server at once, as a crash would.
    package func kill() async {
        // Before all have gone, no other server can start over the data: also those that were just being forked.
        await comesTrue(within: .seconds(120)) {
            send(SIGKILL)
            return members.isEmpty && server?.isRunning != true
        }
    }

    /// Stops every process of the server with SIGSTOP: it hangs, and its connections stay open.
    package func suspend() {
        send(SIGSTOP)
    }

    /// Lets a suspended server go on.
    package func resume() {
        send(SIGCONT)
    }

    /// Ends the server and removes its folder.
    package func remove() async {
        await stop()
        await reaper.finish()
    }

    /// Runs SQL with `psql`, as the superuser.
    ///
    /// - Parameters:
    ///   - sql: One or more statements, which run as one transaction unless they say otherwise.
    ///   - database: The database to run it in.
    /// - Returns: The result's rows, columns parted by `|`, without headings.
    /// - Throws: `ProgramFailure` with PostgreSQL's error.
    package nonisolated func psql(_ sql: String, database: String = "postgres") async throws -> String {
        try await Psql(program: programs["psql"], url: url + "&dbname=\(database)").run(sql)
    }

    /// Runs SQL files with `psql`, as the superuser and as one transaction.
    package nonisolated func psql(files: [String], database: String = "postgres") async throws {
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
            "\(name) = '\(value.replacing("'", with: "''"))'\n"
        }
        try Folder.append(lines.joined(), to: "\(data)/postgresql.conf")
    }

    /// Whether the postmaster wrote that it takes connections: line 8 of its file, as `pg_ctl` reads it
    /// (PostgreSQL's `src/include/utils/pidfile.h`).
    private var isReady: Bool {
        let text = try? textOfFile("\(folder)/data/postmaster.pid")
        let lines = text?.split(separator: "\n", omittingEmptySubsequences: false) ?? []
        return lines.count > 7 && lines[7].hasPrefix("ready")
    }

    /// The last lines of the server's log.
    private var logTail: String {
        let text = (try? textOfFile("\(folder)/postgres.log")) ?? ""
        return text.split(separator: "\n").suffix(10).joined(separator: "\n")
    }

    /// The server's processes: all that have its data folder as their working folder.
    private var members: [pid_t] {
        let data = "\(folder)/data"
        return Folder.names(in: "/proc").compactMap { pid_t($0) }.filter {
            Folder.target(of: "/proc/\($0)/cwd") == data
        }
    }

    private func send(_ signal: Int32) {
        for process in members { _ = Glibc.kill(process, signal) }
    }
}
