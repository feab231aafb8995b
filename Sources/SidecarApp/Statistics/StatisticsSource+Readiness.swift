import Admin
import Invalidation
import Postgres
import Server

extension StatisticsSource {
    /// What has to be so for applications to be served, and what else is to be known of that.
    ///
    /// A failover takes the database and the stream from all sidecars at once: were they not ready then, the application would be
    /// gone as a whole. So what was had once and is lost is told, and no more.
    var readiness: [ReadinessCheck] {
        [
            ReadinessCheck("serving", failsFor: server.isServing ? nil : "the socket is not open"),
            database,
            streamOfChanges,
            ReadinessCheck(
                "warm_start",
                failsFor: live.isWarm ? nil : "the keys that were asked for last before the restart are being loaded"),
        ]
    }

    /// A sidecar that never had a connection may have wrong settings, and has nothing in memory.
    private var database: ReadinessCheck {
        let status = live.database.status
        let loss = status.connectionsReady > 0 ? nil : "there is no connection to the database"
        return status.connectionsMade > 0
            ? ReadinessCheck("database", warnsOf: loss) : ReadinessCheck("database", failsFor: loss)
    }

    /// A stream that never was may have wrong settings, too.
    private var streamOfChanges: ReadinessCheck {
        guard let status = stream(), status.state != .live else { return ReadinessCheck("stream", failsFor: nil) }
        let which = status.wasLive ? "stream lost" : "no stream yet"
        switch live.settings.invalidation.onStreamLoss {
        case .flush:
            let reason = "\(which): groups with invalidate_on load at each GET and keep nothing"
            return status.wasLive
                ? ReadinessCheck("stream", warnsOf: reason) : ReadinessCheck("stream", failsFor: reason)
        case .serveUntilTTL:
            return ReadinessCheck("stream", warnsOf: "\(which): groups with invalidate_on are served to their ttl")
        }
    }
}
