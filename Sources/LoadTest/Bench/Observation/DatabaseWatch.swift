import Groundwork
import Postgres
import PrivateDatabase
import Synchronization

/// Looks at the database while a way is measured: queries, sessions, processor time. From a connection and a thread of its own.
final class DatabaseWatch: Sendable {
    /// What was seen at one moment.
    struct Look: Sendable {
        /// In nanoseconds of the monotonic clock.
        var at: Int64
        /// Queries since some beginning. Never falls: what a restart of the server forgets, it counts on from.
        var queries: Int
        var activeSessions: Int
    }

    /// Where the counts are from.
    let source: DatabaseView.Source
    let serverVersion: String
    /// The server's first process, when it is on this machine.
    private let process: Int32?
    private let database: DatabaseSettings
    private let query: String

    private let looks = Groundwork.Mutex<[Look]>([])
    private let isOver = Atomic<Bool>(false)
    private let hasEnded = Atomic<Bool>(true)

    /// What `pg_stat_activity` and others call the connection.
    private static let name = "pgsidecar bench"

    /// Connects and finds out what can be asked. Blocks.
    ///
    /// - Throws: `BenchError`.
    init(_ database: DatabaseSettings) throws(BenchError) {
        self.database = database
        let session = try Self.connect(database)
        do throws(SQLFailure) {
            let facts = try session.run(
                """
                select current_setting('server_version'), inet_server_addr() is null,
                    (select extnamespace::regnamespace from pg_extension where extname = 'pg_stat_statements')
                """)
            let row = facts.first ?? []
            serverVersion = row.first.flatMap { $0?.prefix { $0 != " " } }.map(String.init) ?? ""
            let isLocal = row.count > 1 && row[1] == "t"
            let schema = row.count > 2 ? row[2] : nil
            let statements = schema.map { Self.query(countingBy: Self.statementCount($0)) }
            if let statements, (try? session.run(statements)) != nil {
                (source, query) = (.statements, statements)
            } else {
                (source, query) = (.transactions, Self.query(countingBy: Self.transactionCount))
            }
            process = isLocal ? Self.firstProcess(try session.run("select pg_backend_pid()").first?.first ?? nil) : nil
        } catch {
            throw BenchError(.unavailable, "the database can't be looked at: \(error)")
        }
    }

    private static func connect(_ database: DatabaseSettings) throws(BenchError) -> SQLSession {
        do throws(ConnectError) {
            return try SQLSession(database, name: name)
        } catch {
            throw BenchError(.unavailable, "the database can't be reached: \(error)")
        }
    }

    /// The parent of a server's process, if that is a process of this machine and a server's, too.
    private static func firstProcess(_ backend: String?) -> Int32? {
        guard let backend = backend.flatMap({ Int32($0) }), let parent = ProcessorTime.parent(of: backend),
            ProcessorTime.name(of: parent)?.hasPrefix("postgres") == true
        else { return nil }
        return parent
    }

    private static func query(countingBy count: String) -> String {
        """
        select (\(count)),
            (select count(*) from pg_stat_activity where state = 'active' and backend_type = 'client backend'
                and datname = current_database() and pid <> pg_backend_pid())
        """
    }

    private static func statementCount(_ schema: String) -> String {
        """
        select coalesce(sum(calls), 0)::bigint from \(schema).pg_stat_statements
            where dbid = (select oid from pg_database where datname = current_database())
                and query ~ '\(GetterQuery.mark)' and query !~* '^\\s*(explain|prepare)'
                and query !~ 'pg_stat_statements'
        """
    }

    private static let transactionCount =
        "select xact_commit + xact_rollback from pg_stat_database where datname = current_database()"

    // MARK: Looking

    /// Counts queries, for a thread that may block.
    struct Counter: ~Copyable {
        fileprivate let session: SQLSession
        fileprivate let query: String

        /// Queries so far; nil when the database does not tell any more.
        var count: Int? { DatabaseWatch.look(session, query)?.queries }
    }

    /// A connection for counting. Blocks.
    func counter() throws(BenchError) -> Counter {
        Counter(session: try Self.connect(database), query: query)
    }

    fileprivate static func look(_ session: borrowing SQLSession, _ query: String) -> Look? {
        let asked = Instant.now().nanoseconds
        guard let row = try? session.run(query).first, row.count == 2,
            let queries = row[0].flatMap({ Int($0) }), let sessions = row[1].flatMap({ Int($0) })
        else { return nil }
        // The server looked somewhere between.
        let at = asked + (Instant.now().nanoseconds - asked) / 2
        return Look(at: at, queries: queries, activeSessions: sessions)
    }

    /// Processor seconds of all of the server's processes since it started; nil when they are not on this machine.
    var processorSeconds: Double? { process.flatMap { ProcessorTime.ofTree($0) } }

    /// Looks at once, at `start`, then each `step` nanoseconds, at `end`, and once more when it is told to ``stop()``.
    func start(from start: Int64, until end: Int64, step: Int64) {
        looks.withLock { $0 = [] }
        isOver.store(false, ordering: .relaxed)
        hasEnded.store(false, ordering: .relaxed)
        let isStarted = startThread { [self] in
            watch(from: start, until: end, step: step)
            hasEnded.store(true, ordering: .releasing)
        }
        if !isStarted { hasEnded.store(true, ordering: .releasing) }
    }

    private func watch(from start: Int64, until end: Int64, step: Int64) {
        var session = try? Self.connect(database)
        // What the server counted before it lost its statistics.
        var forgotten = 0
        var last = 0
        var due = Int64.min
        while true {
            var isLast = false
            while Instant.now().nanoseconds < due {
                // Asked before the look, so that the last one is of what was before the end.
                isLast = isOver.load(ordering: .acquiring)
                if isLast { break }
                pause(milliseconds: Int(min(20, max(1, (due - Instant.now().nanoseconds) / 1_000_000))))
            }
            if session == nil { session = try? Self.connect(database) }
            if let current = session.take(), var look = Self.look(current, query) {
                if look.queries < last { forgotten += last }
                last = look.queries
                look.queries += forgotten
                looks.withLock { $0.append(look) }
                session = consume current
            }
            if isLast { return }
            due = due < start ? start : due < end ? min(end, due + step) : .max
        }
    }

    /// Looks for the last time, and returns all looks.
    func stop() async -> [Look] {
        isOver.store(true, ordering: .releasing)
        await comesTrue(within: .seconds(60)) { hasEnded.load(ordering: .acquiring) }
        return looks.withLock { $0 }
    }
}

extension [DatabaseWatch.Look] {
    /// Queries between two moments, the second of which is the end of all asking: what was on its way then counts, too. Nil
    /// without two looks.
    func queries(from start: Int64, to end: Int64) -> Int? {
        guard count > 1, let last = first(where: { $0.at >= end }) ?? last else { return nil }
        return Swift.max(0, last.queries - Int(queries(at: start).rounded()))
    }

    /// Queries until a moment: between two looks their share of the time, since a busy machine looks late.
    private func queries(at moment: Int64) -> Double {
        guard let after = firstIndex(where: { $0.at >= moment }) else { return Double(last?.queries ?? 0) }
        guard after > 0 else { return Double(self[after].queries) }
        let (first, second) = (self[after - 1], self[after])
        let share = Double(moment - first.at) / Double(second.at - first.at)
        return Double(first.queries) + share * Double(second.queries - first.queries)
    }

    /// Queries a second between two moments; nil without two looks, one of them behind the first moment and one before the second.
    func queriesPerSecond(from start: Int64, to end: Int64) -> Double? {
        guard count > 1, let first, let last, first.at < end, last.at > start else { return nil }
        return Swift.max(0, queries(at: end) - queries(at: start)) * 1e9 / Double(end - start)
    }

    /// Sessions at the first look from a moment on.
    func sessions(at moment: Int64) -> Int? { (first { $0.at >= moment } ?? last)?.activeSessions }

    /// The most sessions at a time.
    var peakSessions: Int { self.map(\.activeSessions).max() ?? 0 }
}
