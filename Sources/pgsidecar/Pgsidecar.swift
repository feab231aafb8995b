import ArgumentParser
import Glibc
import SidecarApp

/// The command line.
@main
struct Pgsidecar: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pgsidecar",
        abstract: "A read-through cache beside your application and in front of PostgreSQL.",
        discussion: """
            Any Redis client asks for a key over a Unix socket. pgsidecar answers from memory, or runs the SQL that you \
            wrote for the key's group, once, however many clients ask at that moment.

            To see it work:          pgsidecar demo
            With settings of yours:  pgsidecar check --config pgsidecar.yaml --connect
                                     pgsidecar serve --config pgsidecar.yaml

            Exit codes: 0 all is well, 64 wrong usage, 69 the database can't be reached, 78 wrong settings, \
            1 anything else.
            """,
        version: Sidecar.version,
        subcommands: [
            Serve.self, Check.self, DoctorCommand.self, SQLCommand.self, DemoCommand.self, TopCommand.self,
            BenchCommand.self, VerifyCommand.self,
        ]
    )

    static func main() async {
        // Before anything else is opened.
        StandardStreams.open()
        do {
            var command = try await asyncParseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
            end(with: .success)
        } catch {
            let code = exitCode(for: error)
            let text = fullMessage(for: error)
            if !text.isEmpty {
                if code == .success { print(text) } else { show(text, on: STDERR_FILENO) }
            }
            end(with: code)
        }
    }

    /// Ends the process without what exit(3) calls: threads that nobody waits for may still be connecting to the database, and
    /// where OpenSSL's handler takes away what they use, the process ends by a signal.
    private static func end(with code: ExitCode) -> Never {
        fflush(nil)
        _exit(code.rawValue)
    }
}
