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
