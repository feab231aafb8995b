/// PostgreSQL's own client, for scripts.
package struct Psql: Sendable {
    /// The path of `psql`.
    package let program: String
    /// A libpq connection string or URL.
    package let url: String

    /// Asks the database at `url` by the program `psql`.
    package init(program: String, url: String) {
        self.program = program
        self.url = url
    }

    /// Runs statements and returns their rows, columns parted by `|`.
    @discardableResult
    package func run(_ sql: String) async throws -> String {
        try await command(["--command", sql]).run()
    }

    /// Runs files as one transaction: all of them, or nothing.
    package func run(files: [String]) async throws {
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
    package var withoutPassword: (url: String, password: String?) {
        // `scheme://user:password@host...`, the only password that a URL shows.
        guard let scheme = url.firstRange(of: "://"), let at = url[scheme.upperBound...].firstIndex(of: "@"),
            let colon = url[scheme.upperBound..<at].firstIndex(of: ":"),
            !url[scheme.upperBound..<at].contains(where: { $0 == "/" || $0 == "?" })
        else { return (url, nil) }
        let password = url[url.index(after: colon)..<at]
        return (String(url[..<colon] + url[at...]), Self.decoded(password))
    }

    /// Without percent signs: `%40` is an `@`.
    private static func decoded(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8
        while let byte = rest.first {
            if byte == UInt8(ascii: "%"), let code = UInt8(String(rest.dropFirst().prefix(2)) ?? "", radix: 16) {
                bytes.append(code)
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
                rest = rest.dropFirst()
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
