import Admin
import Invalidation
import Postgres
import Server

extension StatisticsSource {
    /// What has to be so for applications to be served as the settings say.
    var readiness: [ReadinessCheck] {
        let stream = stream()
        // With `flush` nothing is kept without a stream; with `serve_until_ttl` that goes on as it is.
        let keeps =
            stream.map { $0.state == .live || live.settings.invalidation.onStreamLoss == .serveUntilTTL } ?? true
        return [
            ReadinessCheck("serving", failsFor: server.isServing ? nil : "the socket is not open"),
            ReadinessCheck("database", failsFor: databaseFailure(servesFromMemory: keeps)),
            ReadinessCheck(
                "stream",
                failsFor: keeps ? nil : "nobody tells of changes, so nothing is kept of groups with invalidate_on"
            ),
            ReadinessCheck(
                "warm_start", failsFor: live.isWarm ? nil : "what was hot before the restart is being loaded"),
        ]
    }

    /// Without a connection what is in memory is served for as long as the settings allow, if there ever was one.
    private func databaseFailure(servesFromMemory: Bool) -> String? {
        let status = live.database.status
        if status.connectionsReady > 0 || status.connectionsMade > 0 && servesFromMemory { return nil }
        return "there is no connection to the database"
    }
}
