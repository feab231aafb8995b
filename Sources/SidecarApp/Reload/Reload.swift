import CacheCore
import EventLoop
import Invalidation
import Logging
import Postgres
import Server

/// One reload: what was read is checked, compared and prepared, and nothing is changed before nothing can go wrong any more.
struct Reload {
    let parts: Wiring
    let source: ReloadSource
    let logger: Logger

    /// What was done, in words.
    struct Report {
        var change: SettingsChange
        var changedGroups: [String] = []
    }

    /// Returns the old database, if another one has its place by now: it is to be retired.
    func run() async throws -> (report: Report, predecessor: Database?) {
        var settings = try source.read()
        let before = parts.live.state
        let change = SettingsChange(&settings, inForce: before.settings)
        guard !change.isEmpty else { return (Report(change: change), nil) }
        let plan = try GroupPlan(settings, instead: before.groups, parts.groupParts)
        let server = try parts.serverSettings(settings)
        let map = Wiring.map(settings, concerning: plan.groups, after: before.map)
        let successor =
            plan.hasOtherGetters || settings.database != before.settings.database
            ? try await prepared(plan, settings, map, instead: before.database) : nil
        // From here on nothing can go wrong.
        let database = successor ?? before.database
        parts.live.state = Live.State(
            settings: settings, groups: plan.groups, database: database, map: map,
            retiring: successor == nil ? before.retiring : before.database)
        await carryOut(plan, settings, server, map, successor)
        return (Report(change: change, changedGroups: plan.changed), successor == nil ? nil : before.database)
    }

    /// A database for the plan's getters, with a connection, and proof that it takes their queries.
    private func prepared(
        _ plan: GroupPlan, _ settings: Settings, _ map: InvalidationMap, instead predecessor: Database
    ) async throws -> Database {
        let database = Wiring.database(
            settings, plan.groups, map, loops: parts.loops, circuit: parts.groupParts.breaker, succeeding: predecessor,
            logger: logger)
        do {
            // What it refused before is known, and takes its time to be mended.
            let mistakes = try await database.describe().compactMap(\.mistake).filter {
                plan.unproven.contains($0.group)
            }
            guard mistakes.isEmpty else {
                throw OperationError(mistakes.map { settings.text(of: $0) }.joined(separator: "\n"))
            }
        } catch let error as ConnectError {
            throw OperationError("the database can't be asked what it says of the new settings: \(error)")
        }
        database.start()
        if let reason = await database.firstConnection() {
            await database.stop()
            throw OperationError("no database connection by the new settings: \(reason)")
        }
        return database
    }

    private func carryOut(
        _ plan: GroupPlan, _ settings: Settings, _ server: ServerSettings, _ map: InvalidationMap,
        _ successor: Database?
    ) async {
        source.setLogLevel(settings.log.level)
        parts.cache.setMemory(settings.memory)
        parts.statistics.slowLoads.apply(settings.slowLog)
        for group in plan.kept {
            group.getter.limitQueries(to: group.settings.rules.maxLoads)
            var rules = parts.groupParts.rules(of: group.settings, in: settings)
            rules.shards = group.served.group.settings.shards
            if rules != group.served.group.settings { group.served.group.apply(rules) }
        }
        await successor?.takeLoads()
        parts.server.admit(by: server)
        await parts.server.serve(plan.groups.map(\.served))
        // Nobody asks them any more. They hear of changes until here: what they held was never stale.
        for group in plan.gone { group.served.group.retire() }
        await parts.changes?.adopt(map, database: settings.database)
        if !parts.startChangesIfWanted() {
            logger.error("no thread to hear of changes on: groups with invalidate_on keep nothing")
        }
        try? parts.verifier?.follow(plan.groups.filter(\.served.hearsOfChanges).map(\.served.group))
        parts.mistakes.forget(plan.unproven + plan.gone.map(\.settings.name))
        for group in plan.gone { parts.groupParts.loadLog.forget(group.settings.name) }
    }
}

extension Reload.Report {
    /// In one line, for the one who asked.
    var text: String {
        var parts: [String] = []
        func tell(_ what: String, _ names: [String]) {
            if !names.isEmpty { parts.append("\(what): \(names.joined(separator: ", "))") }
        }
        tell("changed", change.live)
        tell("new groups", change.newGroups)
        tell("groups that are gone", change.goneGroups)
        tell("groups that were flushed", changedGroups)
        let done = parts.isEmpty ? "nothing changed" : "reloaded; \(parts.joined(separator: "; "))"
        guard !change.fixed.isEmpty else { return done }
        return "\(done); a restart is needed for: \(change.fixed.joined(separator: ", "))"
    }
}
