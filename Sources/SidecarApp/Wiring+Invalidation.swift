import Groundwork
import Invalidation
import Postgres
import Server

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
            ("invalidation_messages_misread", "\(status.misread)"),
            ("invalidation_messages_ignored", "\(status.misheard)"),
            ("invalidation_keys", "\(status.counters.keys)"),
            ("invalidation_flushes", "\(status.counters.flushes)"),
            ("invalidation_applied_lsn", status.applied == .none ? "" : "\(status.applied)"),
            ("invalidation_lag_bytes", status.lag.map { "\($0)" } ?? ""),
            ("invalidation_held_transactions", status.held.map { "\($0)" } ?? ""),
            ("invalidation_delay_us", status.delay.map { "\($0.wholeNanoseconds / 1000)" } ?? ""),
        ]
    }

    /// What the server asks for clients that want to read their own writes.
    static func applied(_ changes: ChangeStream?) -> AppliedChanges {
        let position: @Sendable (String) -> UInt64? = { LogPosition($0)?.bytes }
        guard let changes else { return AppliedChanges(position: position) }
        return AppliedChanges(
            position: position, hasApplied: { changes.hasApplied(LogPosition(bytes: $0)) },
            whenApplied: { changes.whenApplied(LogPosition(bytes: $0), by: $1, $2) })
    }
}
