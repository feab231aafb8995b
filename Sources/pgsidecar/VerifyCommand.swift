public import ArgumentParser
import Glibc
public import LoadTest

/// `pgsidecar verify`
struct VerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Put this program to the test: does it ever answer what is no longer, or never was, in the database?",
        discussion: """
            It starts a PostgreSQL and a sidecar of its own below run/, writes rows whose versions only grow, reads them \
            through the socket all the while, and cuts connections and kills the server (not with --no-breaks). It tells \
            of each answer that was never committed, that went back for one reader, or that was replaced longer than \
            --bound before it was asked for; and when nobody writes any more it compares memory with the database. It \
            prints how long after a commit the old value was still answered.

            Exit codes: 0 nothing was found, 1 something was, or it could not be carried out.

            Example:
              pgsidecar verify --source logical --reads 10000000 --writes 500000
            """
    )

    @Option(help: "What tells of changes: none (the writers, by DEL), notify or logical.")
    var source = Verification.Source.none
    @Option(help: "Rows to be read, at least.")
    var reads = 1_000_000
    @Option(help: "Rows to be written, at least.")
    var writes = 50_000
    @Option(help: "How many keys there are.")
    var keys = 20_000
    @Option(help: "Connections that read.")
    var readers = 6
    @Option(help: "Connections that write.")
    var writers = 3
    @Option(help: "The sidecar's memory; little of it makes entries come and go.")
    var memory = "64MiB"
    @Flag(help: "Have what changed loaded again at once (on_change: reload).")
    var reload = false
    @Option(help: "Seconds that an answer may be stale.")
    var bound = 5
    @Flag(inversion: .prefixedNo, help: "Cut connections and kill the server meanwhile.")
    var breaks = true
    @Option(
        help:
            "Do it wrong, to see that it is found: forget or early with source none, silent with notify, mislabel with either stream."
    )
    var sabotage: Verification.Sabotage?
    @Option(help: "What all that is drawn by lot comes from.")
    var seed: UInt64 = 1

    func validate() throws {
        guard reads >= 0, writes >= 0, keys >= 100, (1...500).contains(readers), (1...50).contains(writers), bound >= 0
        else { throw ValidationError("reads and writes are 0 or more, keys 100, readers 1 to 500, writers 1 to 50") }
        switch sabotage {
        case nil: break
        case .forget, .early:
            guard source == .none else { throw ValidationError("--sabotage forget and early go with --source none") }
        case .silent:
            guard source == .notify else { throw ValidationError("--sabotage silent goes with --source notify") }
        case .mislabel:
            guard source != .none else {
                throw ValidationError("--sabotage mislabel goes with --source notify or logical")
            }
        }
    }

    func run() async throws {
        var isClean = true
        try await reportingErrors {
            var options = Verification.Options()
            (options.source, options.reads, options.writes, options.keys) = (source, reads, writes, keys)
            (options.readers, options.writers, options.memory, options.reloads) = (readers, writers, memory, reload)
            (options.bound, options.breaks, options.sabotage, options.seed) = (.seconds(bound), breaks, sabotage, seed)
            isClean = try await Verification(options).run(in: "run/verify-\(getpid())") { show($0) }
        }
        if !isClean { throw ExitCode.failure }
    }
}

extension Verification.Source: ExpressibleByArgument {}
extension Verification.Sabotage: ExpressibleByArgument {}
