import Foundation

/// PostgreSQL's own client, for scripts.
struct Psql: Sendable {
    /// The path of `psql`.
    let program: String
    /// A libpq connection string or URL.
    let url: String

    /// Runs statements and returns their rows, columns parted by `|`.
    @discardableResult
    func run(_ sql: String) async throws -> String {
        try await command(["--command", sql]).run()
    }

    /// Runs files as one transaction: all of them, or nothing.
    func run(files: [String]) async throws {
        _ = try await command(["--single-transaction"] + files.flatMap { ["--file", $0] }).run()
    }

    private func command(_ arguments: [String]) -> Program {
        let (url, password) = withoutPassword
        var environment = ["PGOPTIONS": "-c client_min_messages=error"]
        environment["PGPASSWORD"] = password
        let plain = [
            "--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set", "ON_ERROR_STOP=1", "--dbname", url,
        ]
        return Program(command: ["/usr/bin/env", program] + plain + arguments, environment: environment)
    }

    /// The URL and the password that it had, because every user of the machine can read a program's arguments.
    var withoutPassword: (url: String, password: String?) {
        guard var parts = URLComponents(string: url), let password = parts.password else { return (url, nil) }
        parts.password = nil
        return (parts.string ?? url, password)
    }
}
