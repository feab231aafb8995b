import Groundwork
import Invalidation
import Logging
import Postgres
import Server
import ServiceLifecycle

/// Which groups' queries the database refused when it was asked last.
final class QueryMistakes: Sendable {
    private let state = Groundwork.Mutex(State())

    private struct State {
        var groups: [String]?
        var isAsking = false
    }

    /// The groups; empty while nobody knows.
    var groups: [String] { state.withLock { $0.groups ?? [] } }
    /// Whether the database was asked.
    var isKnown: Bool { state.withLock { $0.groups != nil } }

    /// Remembers the groups, and returns those that were refused before and no longer are.
    func set(_ groups: [String]) -> [String] {
        state.withLock { state in
            defer { state.groups = groups }
            return (state.groups ?? []).filter { !groups.contains($0) }
        }
    }

    /// Forgets groups that are there no longer, or have another query that the database takes.
    func forget(_ gone: [String]) {
        state.withLock { state in state.groups?.removeAll { gone.contains($0) } }
    }

    /// Whether nobody asks at the moment; if so, ``endAsking()`` has to follow.
    func beginAsking() -> Bool {
        state.withLock { state in
            defer { state.isAsking = true }
            return !state.isAsking
        }
    }

    func endAsking() {
        state.withLock { $0.isAsking = false }
    }
}

/// Has the database look at the groups' queries: when it comes only after the start, and for as long as it refuses one,
/// since its tables may change; and now and then while it tells of changes, since a column of another type has other texts in
/// keys. A group that is refused is degraded, and the others serve.
struct QueryCheckService: SidecarService {
    let live: Live
    let mistakes: QueryMistakes
    let logger: Logger

    /// How often is looked whether a database came that was away at the start.
    private static let glance = Duration.seconds(1)
    /// The first and the longest pause between two looks at queries that were refused.
    private static let pauses = (first: Duration.seconds(2), longest: Duration.seconds(60))
    /// How often is looked whether the columns of keys are what they were.
    private static let keyPause = Duration.seconds(30)

    func run() async throws {
        try? await cancelWhenGracefulShutdown { try await watch() }
        // One service that ends would end them all.
        try? await gracefulShutdown()
    }

    private func watch() async throws {
        var pause = Self.pauses.first
        while true {
            if mistakes.isKnown, mistakes.groups.isEmpty {
                try await Task.sleep(for: Self.keyPause)
                pause = Self.pauses.first
            } else if mistakes.isKnown {
                try await Task.sleep(for: pause)
                pause = min(pause * 2, Self.pauses.longest)
            } else {
                try await Task.sleep(for: Self.glance)
                if live.database.status.connectionsReady == 0 { continue }
            }
            guard !mistakes.isKnown || !mistakes.groups.isEmpty || hasKeys, mistakes.beginAsking() else { continue }
            // Not waited for: a database that hangs must not keep a shutdown waiting.
            Task {
                let database = live.database
                // What an older one found while another took its place, concerns nobody.
                if let found = try? await database.describe(), live.database === database {
                    note(found.compactMap(\.mistake))
                }
                mistakes.endAsking()
            }
        }
    }

    private var hasKeys: Bool { live.groups.contains { $0.served.hearsOfChanges } }

    /// Logs what is new among the mistakes, each with its file and line.
    func note(_ found: [QueryMistake]) {
        let known = mistakes.groups
        let mended = mistakes.set(found.map(\.group))
        for mistake in found where !known.contains(mistake.group) {
            let consequence: Logger.Message =
                switch mistake.part {
                case .query: "the database refuses a group's query; the group is degraded, the others serve"
                case .batch: "a group's batch does not work; its keys are asked for one by one"
                case .table: "a group's table can't tell of changes; nothing is kept in the group"
                }
            logger.error(
                consequence,
                metadata: ["group": "\(mistake.group)", "mistake": "\(live.settings.text(of: mistake))"])
        }
        for group in mended {
            logger.notice("the database takes a group's query again", metadata: ["group": "\(group)"])
        }
    }
}

extension Settings {
    /// A mistake that the database found, where it stands in the query's file.
    func text(of mistake: QueryMistake) -> String {
        let group = groups.first { $0.name == mistake.group }
        let (location, name) =
            switch mistake.part {
            case .query: (group?.location, mistake.group)
            case .batch: (group?.batch.location, mistake.group + ".batch")
            case .table(let index):
                (
                    group.flatMap {
                        $0.invalidateOnLocations.indices.contains(index) ? $0.invalidateOnLocations[index] : nil
                    },
                    mistake.group + ".invalidate_on[\(index)]"
                )
            }
        guard let location else { return "groups.\(mistake)" }
        let hint = mistake.hint.map { " (\($0))" } ?? ""
        let state = mistake.sqlState.map { " [SQLSTATE \($0)]" } ?? ""
        return location.text(line: mistake.line, column: mistake.column)
            + ": groups.\(name): \(mistake.message)\(hint)\(state)"
    }
}
