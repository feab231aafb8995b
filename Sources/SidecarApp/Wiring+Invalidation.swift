import Groundwork
import Invalidation
import Postgres

extension Wiring {
    /// The `invalidation` section of `INFO`.
    static func lines(
        _ status: StreamStatus?, _ settings: InvalidationSettings
    ) -> [(name: String, value: String)] {
        guard let status else { return [("invalidation_source", "none"), ("invalidation_state", "off")] }
        return [
            ("invalidation_source", settings.source.rawValue),
            ("invalidation_state", status.state.rawValue),
            ("invalidation_state_seconds", "\((Instant.now() - status.since).components.seconds)"),
            ("invalidation_losses", "\(status.losses)"),
            ("invalidation_last_loss", status.lastLoss ?? ""),
            ("invalidation_refused_groups", status.refusedGroups.joined(separator: ",")),
            ("invalidation_messages", "\(status.counters.changes)"),
            ("invalidation_messages_ignored", "\(status.misheard)"),
            ("invalidation_keys", "\(status.counters.keys)"),
            ("invalidation_flushes", "\(status.counters.flushes)"),
            ("invalidation_applied_lsn", status.applied == .none ? "" : "\(status.applied)"),
            ("invalidation_lag_bytes", status.lag.map { "\($0)" } ?? ""),
            ("invalidation_held_transactions", status.held.map { "\($0)" } ?? ""),
            ("invalidation_delay_us", status.delay.map { "\($0.wholeNanoseconds / 1000)" } ?? ""),
        ]
    }
}
