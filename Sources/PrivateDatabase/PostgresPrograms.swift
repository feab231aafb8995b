import Glibc
import Machine

/// Where the programs of a PostgreSQL server stand on this machine.
package struct PostgresPrograms: Sendable {
    /// The folder that has `postgres`, `initdb` and `psql`.
    package let folder: String

    /// Looks where `pg_config` points, then in Debian's folders from the newest version on, then along `PATH`.
    ///
    /// - Throws: `PrivatePostgresError` that says what to install.
    package static func find() async throws -> PostgresPrograms {
        var candidates: [String] = []
        if let folder = try? await Program(command: ["/usr/bin/env", "pg_config", "--bindir"]).run() {
            candidates.append(folder)
        }
        let debian = "/usr/lib/postgresql"
        let versions = Folder.names(in: debian)
        candidates += versions.sorted { (Int($0) ?? 0) > (Int($1) ?? 0) }.map { "\(debian)/\($0)/bin" }
        let path = environmentVariables()["PATH"] ?? ""
        candidates += path.split(separator: ":").map(String.init)
        let found = candidates.first { folder in
            ["postgres", "initdb", "psql"].allSatisfy { access("\(folder)/\($0)", X_OK) == 0 }
        }
        guard let found else {
            throw PrivatePostgresError("no PostgreSQL server on this machine; on Debian: apt-get install postgresql")
        }
        return PostgresPrograms(folder: found)
    }

    /// The path of one of the programs.
    package subscript(name: String) -> String { "\(folder)/\(name)" }

    /// Whether the module that counts statements came with this server; Debian has it in the server's package.
    func hasStatementStatistics() async -> Bool {
        let libraries = try? await Program(command: ["/usr/bin/env", self["pg_config"], "--pkglibdir"]).run()
        // Debian's pg_config may be absent beside the server; its libraries stand one folder above.
        let folders = [libraries, "\(folder)/../lib"].compactMap { $0 }
        return folders.contains { Folder.exists("\($0)/pg_stat_statements.so") }
    }
}

/// Why a private PostgreSQL could not do what was asked, and what would help.
package struct PrivatePostgresError: Error, CustomStringConvertible, Sendable {
    /// The reason.
    package let description: String

    init(_ description: String) {
        self.description = description
    }
}
