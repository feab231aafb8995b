import Foundation
import Glibc
package import PrivateDatabase

/// A private PgBouncer in front of a server, in transaction mode.
package struct PgBouncer {
    /// Where `make deps-test` has put it, or the system's.
    package static let program =
        ["\(#filePath)/../../../run/pgbouncer/usr/sbin/pgbouncer", "/usr/sbin/pgbouncer"]
        .map { URL(fileURLWithPath: $0).standardized.path }
        .first { FileManager.default.isExecutableFile(atPath: $0) } ?? "pgbouncer"

    private let folder: String
    private let process: Process

    /// Leads to the database `postgres`, unless another is added.
    package var url: String { "postgresql:///postgres?host=\(folder)&port=6432&user=postgres" }

    /// Starts one, which has up to so many sessions with the server.
    package init(before server: PrivatePostgres, sessions: Int = 3) async throws {
        folder = "/tmp/pgs-pooler-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o777])
        // It refuses to run as root.
        let user = getuid() == 0 ? "user = postgres" : ""
        try """
        [databases]
        * = host=\(server.folder) user=postgres
        [pgbouncer]
        unix_socket_dir = \(folder)
        listen_port = 6432
        auth_type = any
        pool_mode = transaction
        default_pool_size = \(sessions)
        \(user)
        """.write(toFile: "\(folder)/pgbouncer.ini", atomically: true, encoding: .utf8)
        process = Process()
        process.executableURL = URL(fileURLWithPath: Self.program)
        process.arguments = ["-q", "\(folder)/pgbouncer.ini"]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        let socket = "\(folder)/.s.PGSQL.6432"
        guard await eventually({ FileManager.default.fileExists(atPath: socket) }) else {
            throw Failure("PgBouncer did not start")
        }
    }

    /// Runs SQL through it.
    package func psql(_ sql: String) async throws -> String {
        let psql = Process()
        psql.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        psql.arguments = ["psql", "-XAtqc", sql, url]
        let output = Pipe()
        psql.standardOutput = output
        try psql.run()
        let text = try output.fileHandleForReading.readToEnd() ?? Data()
        psql.waitUntilExit()
        return String(decoding: text, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Ends it.
    package func stop() async {
        // It has the signals blocked that the thread had which started it, SIGTERM among them.
        kill(process.processIdentifier, SIGKILL)
        _ = await eventually { !process.isRunning }
        try? FileManager.default.removeItem(atPath: folder)
    }
}
