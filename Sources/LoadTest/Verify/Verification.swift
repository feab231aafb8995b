import EventLoop
import Glibc
import Groundwork
import Postgres
import PrivateDatabase

/// Puts a sidecar to the test with a PostgreSQL of its own: writers change rows whose versions only grow, readers ask all the
/// while, things break, and every answer is compared with what was committed.
public struct Verification: Sendable {
    /// What tells the sidecar of changes.
    public enum Source: String, Sendable, CaseIterable {
        /// Nothing but the writers themselves, by `DEL` after each commit.
        case none
        /// Triggers.
        case notify
        /// The write-ahead log.
        case logical
    }

    /// A way to do it wrong, which has to be found.
    public enum Sabotage: String, Sendable, CaseIterable {
        /// With `none`: one commit in about a hundred is not told.
        case forget
        /// With `none`: told before the commit and not after.
        case early
        /// With `notify`: one transaction in about a hundred fires no trigger.
        case silent
        /// With `notify` or `logical`: a group's `invalidate_on` names another column than its query compares.
        case mislabel
    }

    /// What is done, and how much of it.
    public struct Options: Sendable {
        /// What tells of changes.
        public var source = Source.none
        /// Rows to be answered, at least.
        public var reads = 1_000_000
        /// Rows to be committed, at least.
        public var writes = 50_000
        /// How many keys there are.
        public var keys = 20_000
        /// Connections that ask.
        public var readers = 6
        /// Requests on their way at once on each of them.
        public var depth = 16
        /// Connections that write.
        public var writers = 3
        /// The setting `memory`: little of it makes entries go and come.
        public var memory = "64MiB"
        /// The setting `on_change`.
        public var reloads = false
        /// How stale an answer may be, from the commit that replaced it to the asking.
        public var bound: Duration = .seconds(5)
        /// Whether connections are cut and the server is killed meanwhile.
        public var breaks = true
        /// What is done wrong on purpose.
        public var sabotage: Sabotage?
        /// What all that is drawn by lot comes from.
        public var seed: UInt64 = 1

        /// The defaults.
        public init() {}
    }

    private let options: Options

    /// Prepares a run.
    public init(_ options: Options) { self.options = options }

    /// Carries it out with the program that this one is.
    ///
    /// - Parameters:
    ///   - folder: A folder to make, which is removed at the end when nothing was found.
    ///   - say: Shows a line to the user.
    /// - Returns: Whether nothing was found.
    /// - Throws: What kept it from being carried out.
    public func run(in folder: String, say: @escaping @Sendable (String) -> Void) async throws -> Bool {
        try Folder.make(folder)
        let program = Folder.resolved("/proc/self/exe")
        let postgres = try await PrivatePostgres(in: "\(folder)/postgres", settings: Self.serverSettings)
        do {
            let report = try await VerificationRun(options, postgres, in: folder, say: say).run(program: program)
            await postgres.remove()
            for line in report.lines { say(line) }
            if report.isClean { remove(folder) } else { say("what the sidecar said is in \(folder)") }
            return report.isClean
        } catch {
            await postgres.remove()
            throw error
        }
    }

    private func remove(_ folder: String) {
        for name in Folder.names(in: folder) { unlink("\(folder)/\(name)") }
        rmdir(folder)
    }

    /// A crash of the server's processes must lose no commit (that of the machine would, as nothing is synced to disk).
    private static let serverSettings = [
        "synchronous_commit": "on", "full_page_writes": "on", "wal_level": "logical", "max_connections": "100",
        "shared_buffers": "64MB", "wal_sender_timeout": "10s",
    ]
}
