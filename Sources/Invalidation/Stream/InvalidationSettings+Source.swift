import EventLoop
import Logging
package import Postgres

extension InvalidationSettings {
    /// The way to the server that tells of changes.
    package func streamDatabase(_ database: DatabaseSettings) -> DatabaseSettings {
        guard let url else { return database }
        var direct = database
        direct.url = url
        direct.password = password
        return direct
    }

    /// What connects to it; nil when nothing is to tell of changes.
    func makeSource(
        _ database: DatabaseSettings, _ map: InvalidationMap, on loop: EventLoop, owner: any ChangeSourceOwner,
        logger: Logger
    ) -> (any ChangeSource)? {
        switch source {
        case .none: nil
        case .notify:
            NotifySource(
                streamDatabase(database), loads: database, channel: channel, map, on: loop, owner: owner,
                logger: logger)
        case .logical:
            LogicalSource(
                LogicalSource.Settings(
                    stream: streamDatabase(database), loads: database, publication: publication, heartbeat: heartbeat),
                map, on: loop, owner: owner, logger: logger)
        }
    }
}

extension InvalidationSettings.Source {
    /// Why it may be that a connection does not hear what is said, and what to do then.
    var unproven: String {
        switch self {
        case .none: ""
        case .notify:
            "what another session said, where loads go, did not arrive: a pooler in between swallows it, as PgBouncer does in "
                + "transaction mode, or invalidation.url leads to another database than database.url; "
                + "set invalidation.url to the server itself and that database"
        case .logical: "the server sends nothing of its log"
        }
    }
}
