import CacheCore
import EventLoop
import Foundation
import Groundwork
import Logging
import PrivateDatabase
import TestSupport

@testable import Postgres

/// What a load brought, in plain types.
enum Answer: Equatable, Sendable {
    case text(String)
    case row(String, [String: String])
    case missing
    case error(LoadError.Code, String)

    init(_ outcome: Outcome) {
        switch outcome {
        case .success(let value) where value.isMissing: self = .missing
        case .success(let value) where value.hasFields: self = .row(Self.string(value.text), Self.fields(value.fields))
        case .success(let value): self = .text(Self.string(value.text))
        case .failure(let error): self = .error(error.code, error.message)
        }
    }

    var text: String {
        if case .text(let text) = self { text } else { "" }
    }

    var code: LoadError.Code? {
        if case .error(let code, _) = self { code } else { nil }
    }

    var message: String {
        if case .error(_, let message) = self { message } else { "" }
    }

    private static func string(_ span: RawSpan) -> String {
        span.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
    }

    /// The hash form taken apart: a count, then bulk strings.
    private static func fields(_ span: RawSpan) -> [String: String] {
        var rest = span.withUnsafeBytes { Array($0) }[...]
        rest.removeFirst(4)
        var texts: [String] = []
        while let end = rest.firstIndex(of: 13),
            let length = Int(String(decoding: rest[..<end].dropFirst(), as: UTF8.self))
        {
            let start = end + 2
            texts.append(String(decoding: rest[start..<start + length], as: UTF8.self))
            rest = rest[(start + length + 2)...]
        }
        return Dictionary(
            uniqueKeysWithValues: stride(from: 0, to: texts.count, by: 2).map { (texts[$0], texts[$0 + 1]) })
    }
}

/// Loops, a database and groups over it, as the sidecar has them, without sockets.
final class Bench: Sendable {
    let loops: [EventLoop]
    let database: Database
    let groups: [String: Group]
    /// Groups whose columns changed, as they were told.
    let schemaChanges: Log
    /// How long tests wait for what is bound to come: on a busy machine two hundred loads one after the other, beside which
    /// others wait, have taken forty seconds.
    static let patience = Duration.seconds(80)

    /// Starts all of it.
    init(
        _ url: String?, loops count: Int = 2, loadTimeout: Duration = .seconds(120), warnings: Log? = nil,
        settings change: (inout DatabaseSettings) -> Void = { _ in }, _ getters: [QueryGetter]
    ) throws {
        var settings = DatabaseSettings()
        settings.url = url.map { Secret($0) }
        change(&settings)
        loops = try (0..<count).map { try EventLoop(index: $0) }
        let log = Log()
        schemaChanges = log
        var logger = Logger(label: "test") { _ in WarningsHandler(log: warnings ?? Log()) }
        logger.logLevel = .warning
        var rules = GroupSettings()
        rules.loadTimeout = loadTimeout
        // What is kept is looked at on a busy machine, too.
        rules.timeToLive = .seconds(600)
        rules.negativeTimeToLive = .seconds(600)
        var groups: [String: Group] = [:]
        for getter in getters { groups[getter.name] = try Group(getter.name, settings: rules, getter: getter) }
        self.groups = groups
        let known = groups
        database = Database(settings: settings, loops: loops, getters: getters, logger: logger) { group in
            log.append(group)
            known[group]?.invalidateAll()
        }
        for loop in loops { loop.start() }
        database.start()
    }

    /// To be called at the end of each test: the loops' threads do not end by themselves.
    func stop() async {
        await database.stop()
        for loop in loops { await loop.end() }
    }

    /// Loads a key anew, from the loop `loop`.
    func load(_ group: String, _ key: String, on loop: Int = 0, wait: Duration = patience) async -> Answer {
        await load(group, Key(key), on: loop, wait: wait)
    }

    func load(_ name: String, _ key: Key, on loop: Int = 0, wait: Duration = patience) async -> Answer {
        guard let group = groups[name] else { return .error(.query, "no such group") }
        let sink = GatheringSink(1)
        loops[loop].submit { Self.load(key, of: group, wait: wait, into: sink) }
        return Answer(await sink.outcomes()[0])
    }

    /// The same on the loop whose thread this is.
    static func load(_ key: Key, of group: Group, wait: Duration = patience, into sink: GatheringSink) {
        let waiter = Waiter(sink, token: 0, deadline: Instant.now() + wait)
        key.bytes.withUnsafeBytes { bytes in
            let span = RawSpan(_unsafeBytes: bytes)
            group.invalidate(span)
            lookUp(span, in: group, waiter)
        }
    }

    /// Loads several keys anew, from one job of the loop, so that they start in one round. The answers are in their order.
    func loadTogether(_ name: String, _ keys: [String]) async -> [Answer] {
        await loadTogether(keys.map { (name, $0) })
    }

    /// `each` gets every answer as it comes.
    func loadTogether(
        _ asked: [(group: String, key: String)], each: @escaping @Sendable (Answer) -> Void = { _ in }
    ) async -> [Answer] {
        await outcomesTogether(asked, each: each).map { Answer($0) }
    }

    /// As ``loadTogether(_:)``, without taking the answers apart.
    func outcomesTogether(
        _ asked: [(group: String, key: String)], each: @escaping @Sendable (Answer) -> Void = { _ in }
    ) async -> [Outcome] {
        let sink = GatheringSink(asked.count, each)
        let groups = groups
        loops[0].submit {
            for (index, (name, key)) in asked.enumerated() {
                guard let group = groups[name] else { continue }
                Key(key).bytes.withUnsafeBytes { bytes in
                    let span = RawSpan(_unsafeBytes: bytes)
                    group.invalidate(span)
                    let deadline = Instant.now() + Self.patience
                    Self.lookUp(span, in: group, Waiter(sink, token: UInt64(index), deadline: deadline))
                }
            }
        }
        return await sink.outcomes()
    }

    private static func lookUp(_ key: RawSpan, in group: Group, _ waiter: Waiter) {
        withUnsafeTemporaryAllocation(byteCount: Group.copyLimit, alignment: 8) { buffer in
            var output = OutputRawSpan(buffer: buffer, initializedCount: 0)
            switch group.lookup(key, .text, at: Instant.now(), waiter: waiter, into: &output) {
            case .leads(let flight, _): group.load(flight)
            case .refreshes(_, let flight): group.load(flight)
            case .follows: break
            case .refused: break
            case .hit: break
            }
        }
    }

    /// As if every getter, or the one that is named, had been short so far: several loads of it share a segment.
    func trust(_ name: String? = nil) {
        for (index, pace) in database.context.paces.enumerated() {
            guard name == nil || database.context.getters[index / 2].name == name else { continue }
            for _ in 0..<40 { pace.note(0) }
        }
    }

    /// Waits until the getters know what the server told of them.
    func described() async -> Bool {
        await TestSupport.eventually(within: Self.patience) { self.database.descriptions != nil }
    }

    /// Waits until the database is as `condition` wants it; false after `limit`.
    func eventually(within limit: Duration = patience, _ condition: (DatabaseStatus) -> Bool) async -> Bool {
        await TestSupport.eventually(within: limit) { condition(self.database.status) }
    }
}

/// Gathers the answers of one waiter or several.
final class GatheringSink: OutcomeSink {
    private struct State {
        var outcomes: [Outcome?]
        var missing: Int
        var continuation: CheckedContinuation<Void, Never>?
    }

    private let state: Groundwork.Mutex<State>
    private let each: @Sendable (Answer) -> Void

    init(_ count: Int, _ each: @escaping @Sendable (Answer) -> Void = { _ in }) {
        self.each = each
        state = Mutex(State(outcomes: Array(repeating: nil, count: count), missing: count))
    }

    func deliver(_ outcome: Outcome, token: UInt64) {
        each(Answer(outcome))
        state.withLock { state in
            state.outcomes[Int(token)] = outcome
            state.missing -= 1
            Self.resume(&state)
        }
    }

    /// Waits for all of them.
    func outcomes() async -> [Outcome] {
        await withCheckedContinuation { continuation in
            state.withLock { state in
                state.continuation = continuation
                Self.resume(&state)
            }
        }
        // From under the lock, not by the continuation: one that was resumed before it is waited for tells the thread sanitizer
        // nothing, which would take what it hands over for a race.
        return state.withLock { $0.outcomes.compactMap(\.self) }
    }

    private static func resume(_ state: inout State) {
        if state.missing == 0 { state.continuation.take()?.resume() }
    }
}

/// Names in the order in which they came, from any thread.
final class Log: Sendable {
    private let entries = Groundwork.Mutex<[String]>([])
    func append(_ entry: String) { entries.withLock { $0.append(entry) } }
    var all: [String] { entries.withLock { $0 } }
}

/// Keeps what is logged.
private struct WarningsHandler: LogHandler {
    let log: Log
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.warning

    init(log: Log) {
        self.log = log
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        log.append("\(event.message)")
    }
}

/// PostgreSQL servers for tests.
enum Server {
    /// For tests that leave the server as it is. It goes with the process.
    static func shared() async throws -> PrivatePostgres {
        try await starting.value
    }

    private static let starting = Task {
        let server = try await fresh()
        _ = try await server.psql(
            """
            create extension citext; create extension hstore; create extension isn; create extension ltree;
            create table account(id int primary key, owner text, balance numeric, settings jsonb, note text);
            insert into account values
                (1, 'Ada', 10.50, '{"theme": "dark"}', null),
                (2, E'Zo\\u00eb "Z" \\\\ \\U0001F600', -3, null, ''),
                (3, 'two' || chr(10) || 'lines', 0, '[1, null]', 'x');
            create table member(team text, name text, role text, primary key (team, name));
            insert into member values ('red', 'a:b', 'lead'), ('red', 'c', null);
            """)
        return server
    }

    /// For tests that break it. To be removed by the test.
    static func fresh(_ settings: [String: String] = [:]) async throws -> PrivatePostgres {
        try await TestPostgres.fresh(settings)
    }
}
