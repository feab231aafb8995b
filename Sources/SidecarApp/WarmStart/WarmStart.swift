import CacheCore
import Groundwork
import Logging
import Machine
import Postgres
import Server

/// Loads the keys that were asked for last before the restart, and writes down those of now.
actor WarmStart {
    private let live: Live
    private let logger: Logger
    /// What the file has: a group that holds nothing at the moment, since nobody tells of changes, is not forgotten.
    private var written = RecentKeys()

    init(_ live: Live, logger: Logger) {
        self.live = live
        self.logger = logger
    }

    /// Writes down the keys of all groups, if the settings name a file.
    func save() {
        guard let path = live.settings.warmStart.file else { return }
        var keys = RecentKeys()
        for group in live.groups.map(\.served.group) {
            let recent = group.recentKeys(live.settings.warmStart.keys).map(\.bytes)
            keys.groups[group.name] = recent.isEmpty ? written.groups[group.name] : recent
        }
        guard keys != written else { return }
        do {
            try PrivateFile(path).replace(by: keys.encoded)
            written = keys
        } catch {
            logger.error("the recent keys can't be saved for the next start", metadata: ["reason": "\(error)"])
        }
    }

    // MARK: Loading

    /// Loads what the file has, if the settings name one: of each group not more at once than half of its `max_loads`, and only
    /// while no client's load waits.
    func load() async throws {
        guard let path = live.settings.warmStart.file else { return }
        do {
            guard let bytes = try PrivateFile(path).read(atMost: RecentKeys.mostBytes) else { return }
            guard let keys = RecentKeys(bytes) else { return refuse(bytes, of: path) }
            written = keys
        } catch {
            return logger.warning("the recent keys of the last run can't be read", metadata: ["reason": "\(error)"])
        }
        let began = Instant.now()
        while live.database.status.connectionsReady == 0 { try await Task.sleep(for: .milliseconds(50)) }
        var loaded = 0
        for group in live.groups {
            let keys = written.groups[group.settings.name] ?? []
            loaded += try await load(keys.prefix(live.settings.warmStart.keys), of: group)
        }
        logger.notice(
            "warm start done",
            metadata: ["keys": "\(loaded)", "seconds": "\((Instant.now() - began).components.seconds)"])
    }

    private func refuse(_ bytes: [UInt8], of path: String) {
        if RecentKeys.areOfOtherVersion(bytes) {
            logger.notice(
                "another version wrote the recent keys: this run starts cold and writes them anew; nothing is to be done",
                metadata: ["file": "\(path)"])
        } else {
            logger.warning(
                "the recent keys of the last run are damaged: this one starts cold and writes them anew",
                metadata: ["file": "\(path)"])
        }
    }

    /// How long is waited for changes to be told of: before that a group keeps nothing.
    private static let patience = Duration.seconds(30)
    /// So many failures in a row end a group's warm start.
    private static let failures = 20

    private func load(_ keys: ArraySlice<[UInt8]>, of group: Live.ServingGroup) async throws -> Int {
        let deadline = Instant.now() + Self.patience
        while !keys.isEmpty, !group.served.group.isStoring {
            guard Instant.now() < deadline else { return 0 }
            try await Task.sleep(for: .milliseconds(50))
        }
        let limit = max(1, group.settings.rules.maxLoads / 2)
        return try await withThrowingTaskGroup(of: Bool.self) { tasks in
            var (loaded, failures) = (0, 0)
            func take(_ isLoaded: Bool?) {
                guard let isLoaded else { return }
                loaded += isLoaded ? 1 : 0
                failures = isLoaded ? 0 : failures + 1
            }
            for (index, key) in keys.enumerated() {
                if index >= limit { take(try await tasks.next()) }
                guard failures < Self.failures else { break }
                // Clients go first.
                while live.database.status.loadsQueued > 0 { try await Task.sleep(for: .milliseconds(2)) }
                let (served, wanted) = (group.served.group, Key(key))
                tasks.addTask {
                    if served.peek(wanted) != nil { return true }
                    return (try? await served.refresh(wanted)) != nil
                }
            }
            while let isLoaded = try await tasks.next() { take(isLoaded) }
            return loaded
        }
    }
}
