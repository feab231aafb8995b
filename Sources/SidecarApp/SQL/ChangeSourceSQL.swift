import Groundwork
import Invalidation
import Postgres

/// What the database needs so that it tells of changes: looked at, made and removed, as settings say.
public struct ChangeSourceSQL: Sendable {
    /// What is to be done.
    public enum Task: Sendable {
        case install, uninstall
    }

    /// How the database stands.
    public struct Status: Sendable {
        /// For people, a line each.
        public var lines: [String] = []
        /// Whether everything is there that has to be.
        public var isComplete = true
    }

    private let settings: Settings
    private let database: DatabaseSettings

    /// What `settings` need. `url` is where an administrator connects to, who may change the tables; nil: where the stream does.
    ///
    /// - Throws: `StartupError`, when the settings name no source or no table.
    public init(_ settings: Settings, url: String? = nil) throws {
        self.settings = settings
        var database = settings.invalidation.streamDatabase(settings.database)
        if let url { (database.url, database.password) = (Secret(url), nil) }
        self.database = database
        guard settings.invalidation.source != .none else {
            throw StartupError(
                .sourceNotReady,
                "invalidation.source is 'none', which needs nothing; write 'source: notify' (or logical)")
        }
        guard settings.groups.contains(where: { !$0.invalidateOn.isEmpty }) else {
            throw StartupError(.sourceNotReady, "no group has 'invalidate_on', so nothing has to be told")
        }
    }

    /// The SQL that a task takes as the database stands now, to be run in a transaction; empty when there is nothing to do.
    /// Blocks.
    public func sql(for task: Task) throws -> String {
        let parts = try parts(of: task, session: connected())
        return parts.isEmpty ? "" : Self.heading + parts.joined(separator: "\n")
    }

    private static let heading = "-- As one transaction: psql --single-transaction, or a migration.\n\n"

    /// Carries a task out, a transaction for each table. Returns whether there was anything to do. Blocks.
    public func apply(_ task: Task) throws -> Bool {
        let session = try connected()
        let parts = try parts(of: task, session: session)
        for statements in parts {
            do throws(SQLFailure) {
                try session.run("begin; \(statements) commit")
            } catch {
                _ = try? session.run("rollback")
                throw StartupError(.sourceNotReady, "the database refuses: \(error)")
            }
        }
        return !parts.isEmpty
    }

    /// What is there and what differs. Blocks.
    public func status() throws -> Status {
        let session = try connected()
        var status = Status()
        switch settings.invalidation.source {
        case .none: break
        case .notify:
            for standing in try standings(session) {
                status.add(
                    standing.rule, faults: standing.mistake.map { [$0] } ?? standing.differences,
                    warnings: standing.warnings)
            }
        case .logical:
            let publication = try publicationStanding(session)
            for group in settings.groups {
                for rule in group.invalidateOn {
                    let mistake = mistake(in: rule, of: group, publication)
                    status.add(rule, faults: mistake.map { [$0.description] } ?? [], warnings: [])
                }
            }
        }
        return status
    }

    private func parts(of task: Task, session: SQLSession) throws -> [String] {
        switch (settings.invalidation.source, task) {
        case (.none, _): return []
        case (.notify, .install):
            let standings = try standings(session)
            let mistakes = standings.compactMap(\.mistake)
            guard mistakes.isEmpty else { throw Self.refusal(mistakes) }
            return standings.compactMap(\.installation)
        case (.notify, .uninstall):
            let removals = try standings(session).compactMap(\.removal)
            return removals.isEmpty ? [] : removals + [TriggerStanding.schemaRemoval]
        case (.logical, .install): return try publishing(session)
        case (.logical, .uninstall):
            let isThere = try publicationStanding(session).isThere
            return isThere ? [PublicationSQL.drop(settings.invalidation.publication)] : []
        }
    }

    private static func refusal(_ mistakes: [String]) -> StartupError {
        StartupError(.sourceNotReady, mistakes.map { "invalidate_on: \($0)" }.joined(separator: "\n"))
    }

    private func connected() throws -> SQLSession {
        do throws(ConnectError) {
            return try SQLSession(database)
        } catch {
            throw StartupError(.databaseUnreachable, "the database cannot be reached: \(error)")
        }
    }

    // MARK: Triggers

    private func standings(_ session: SQLSession) throws -> [TriggerStanding] {
        do throws(SQLFailure) {
            return try TriggerStanding.all(
                for: settings.groups.flatMap(\.invalidateOn), channel: settings.invalidation.channel, in: session)
        } catch {
            throw StartupError(.sourceNotReady, "the catalog can't be read: \(error)")
        }
    }

    // MARK: Publication

    private func publicationStanding(_ session: SQLSession) throws -> PublicationStanding {
        do throws(SQLFailure) {
            let rows = try session.run(PublicationSQL.check(settings.invalidation.publication, settings.tables))
            return PublicationStanding(rows, tables: settings.tables)
        } catch {
            throw StartupError(.sourceNotReady, "the catalog can't be read: \(error)")
        }
    }

    private func mistake(
        in rule: TableRule, of group: Settings.Group, _ standing: PublicationStanding
    ) -> PublicationMistake? {
        standing.mistake(
            in: rule.table, by: rule.key, of: settings.invalidation.publication,
            followed: group.invalidateOn.map(\.table))
    }

    /// Makes the publication, or makes it right; what its tables themselves lack is for their owner to decide.
    private func publishing(_ session: SQLSession) throws -> [String] {
        let standing = try publicationStanding(session)
        let publication = settings.invalidation.publication
        guard standing.isThere else { return [PublicationSQL.create(publication, settings.tables)] }
        var remedies: [String] = []
        var others: [String] = []
        for group in settings.groups {
            for found in group.invalidateOn.compactMap({ mistake(in: $0, of: group, standing) }) {
                if let remedy = found.remedy, remedy.hasPrefix("ALTER PUBLICATION") {
                    if !remedies.contains(remedy + ";\n") { remedies.append(remedy + ";\n") }
                } else {
                    others.append(found.description)
                }
            }
        }
        guard others.isEmpty else { throw Self.refusal(others) }
        return remedies
    }
}

extension ChangeSourceSQL.Status {
    fileprivate mutating func add(_ rule: TableRule, faults: [String], warnings: [String]) {
        lines.append("\(rule): \(faults.isEmpty ? "as it should be" : "not as it should be")")
        lines += faults.map { "  \($0)" }
        lines += warnings.map { "  warning: \($0)" }
        if !faults.isEmpty { isComplete = false }
    }
}
