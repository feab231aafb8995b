import Groundwork
import Histogram
import Postgres

/// Writes rows, and asks for each until the new value is there.
struct WriteProbes: Sendable {
    private let way: WayRun
    private let rate: Double
    private let count: Int

    /// How long a new value is waited for.
    private static let patience: Int64 = 5_000_000_000

    init(_ way: WayRun) {
        self.way = way
        rate = way.scenario.options.writeRate
        count = max(1, min(8, Int((rate / 100).rounded(.up))))
    }

    /// What one thread saw.
    private struct Part: Sendable {
        var latency = Histogram<UInt64>()
        var writes = 0
        var unseen = 0
        var failure: BenchError?
    }

    /// Does it in the measured time, on threads of their own.
    func run(_ times: RunTimes) async throws -> WritesReport {
        var whole = Part()
        await withTaskGroup(of: Part.self) { group in
            for index in 0..<count {
                group.addTask {
                    do {
                        return try await onOwnThread { probe(index, times) }
                    } catch {
                        return Part(failure: BenchError("writing", error))
                    }
                }
            }
            for await part in group {
                whole.latency.add(part.latency)
                whole.writes += part.writes
                whole.unseen += part.unseen
                whole.failure = whole.failure ?? part.failure
            }
        }
        if let failure = whole.failure { throw failure }
        let seconds = Double(times.end - times.start) / 1e9
        return WritesReport(
            writes: whole.writes, perSecond: Double(whole.writes) / seconds, commitToNew: LatencySummary(whole.latency),
            unseen: whole.unseen, patience: Double(Self.patience) / 1e9,
            toldBy: {
                switch way.route {
                case .sidecar, .database: way.scenario.testbed.toldBy
                case .redis: "whoever writes, by DEL after the commit"
                }
            }())
    }

    private func probe(_ index: Int, _ times: RunTimes) -> Part {
        var part = Part()
        do {
            guard let statement = way.scenario.testbed.write else {
                throw BenchError(.unsuitable, "nobody says how a row is changed")
            }
            let session = try SQLSession(way.scenario.testbed.database, name: "pgsidecar bench writes")
            var reader = try ProbeReader.connect(way.route, way.scenario.testbed)
            var schedule = Schedule.open(
                rate: rate / Double(count), from: times.start, until: times.end,
                seed: way.scenario.options.seed &+ UInt64(index))
            var random = SplitMix64(seed: way.scenario.options.seed &+ 31 &* UInt64(index))
            while let due = schedule.nextDue {
                Instant(nanoseconds: due).wait()
                let now = Instant.now().nanoseconds
                guard now < times.end, schedule.take(at: now) != nil else { break }
                // Each key is one thread's own, or it would see another one's write.
                let key = Int(random.next() % UInt64(max(1, way.keys.count / count))) * count + index
                guard key < way.keys.count else { continue }
                try write(key, statement, session, &reader, &part)
            }
        } catch {
            part.failure = BenchError("writing", error)
        }
        return part
    }

    private func write(
        _ key: Int, _ statement: KeyedStatement, _ session: SQLSession, _ reader: inout ProbeReader, _ part: inout Part
    ) throws {
        let (name, argument) = (way.keys.text(key), way.keys.argumentText(key))
        let old = try reader.value(of: name, argument)
        try session.run(statement.sql, statement.parameters(of: argument))
        let committed = Instant.now().nanoseconds
        part.writes += 1
        try reader.noteWrite(of: name)
        while true {
            let value = try reader.value(of: name, argument)
            let waited = Instant.now().nanoseconds - committed
            if value != old {
                part.latency.record(UInt64(waited))
                return
            }
            if waited > Self.patience {
                part.unseen += 1
                return
            }
        }
    }
}

/// Reads single values as a way's users do.
private struct ProbeReader: ~Copyable {
    private let route: Route
    private var connection: BlockingConnection
    private let session: SQLSession?

    private init(_ route: Route, _ connection: consuming BlockingConnection, _ session: SQLSession?) {
        self.route = route
        self.connection = connection
        self.session = session
    }

    /// Connects.
    static func connect(_ route: Route, _ testbed: Testbed) throws -> ProbeReader {
        switch route {
        case .sidecar(let server):
            return ProbeReader(route, try BlockingConnection.connect(to: server), nil)
        case .redis(let redis):
            let session = try SQLSession(testbed.database, name: "pgsidecar bench writes")
            return ProbeReader(route, try BlockingConnection.connect(to: redis.server), session)
        case .database:
            throw BenchError(.unsuitable, "what is written is new in the database at once")
        }
    }

    mutating func value(of name: String, _ argument: String) throws -> [String?] {
        let reply = try connection.ask(["GET", name])
        if case .error(let text) = reply { throw BenchError(.unavailable, text) }
        guard case .redis(let redis) = route, reply == .null else { return [reply.text] }
        let query = KeyedStatement(redis.query)
        let value = try session?.run(query.sql, query.parameters(of: argument)).first?.first ?? nil
        if let value { _ = try connection.ask(["SET", name, value, "EX", "\(redis.timeToLive)"]) }
        return [value]
    }

    /// What a writer does after its commit.
    mutating func noteWrite(of name: String) throws {
        if case .redis = route { _ = try connection.ask(["DEL", name]) }
    }
}
