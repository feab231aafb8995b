import EventLoop
import Groundwork
import Logging

/// How far the making anew of a pool's connections has come.
struct Renewal {
    /// Whether a connection is being made in the place of another.
    var isMaking = false
    /// When the next connection is too old.
    var timer: Timer?
    /// Told when all that are due are made anew, or why not.
    var done: (@Sendable (String?) -> Void)?
}

/// Connections are made anew one after the other. The new one is there before the old one gets no more loads, and that is closed
/// when it has answered: so no load fails, and a database that takes no new connection costs none that works.
extension ConnectionPool {
    /// After a failure it is tried again so much later, when a connection is too old.
    private static let pause = Duration.seconds(10)

    /// Has all connections made anew. `done` is told when that is so, or why not; then the rest stay as they are.
    func renewAll(_ done: @escaping @Sendable (String?) -> Void) {
        guard renewal.done == nil else { return done("that is being done already") }
        renewal.done = done
        for connection in connections { connection.isDue = true }
        renewNext()
    }

    /// Begins with the next connection that is due, unless one is on the way.
    func renewNext() {
        guard !renewal.isMaking, !connections.contains(where: { $0.isRetiring }) else { return }
        guard connections.contains(where: { $0.isDue }) else { return endRenewal(nil) }
        let action = state.renew()
        guard case .connect = action else { return endRenewal("a connection is missing") }
        renewal.isMaking = true
        act(on: action)
    }

    /// A connection came: if it was for another one, that retires.
    func renewalCame() {
        defer { expectAge() }
        guard renewal.isMaking else { return }
        renewal.isMaking = false
        if let old = connections.first(where: { $0.isDue }) { old.retire() } else { endRenewal(nil) }
    }

    /// No connection came.
    func renewalFailed(_ reason: String) {
        guard renewal.isMaking else { return }
        renewal.isMaking = false
        endRenewal(reason)
    }

    func endRenewal(_ reason: String?) {
        if reason != nil {
            for connection in connections { connection.isDue = false }
        }
        let done = renewal.done
        renewal.done = nil
        done?(reason)
        if let timer = renewal.timer { loop.cancel(timer) }
        renewal.timer = nil
        if !state.hasEnded { expectAge(atLeast: reason == nil ? .zero : Self.pause) }
    }

    /// One timer for the oldest connection.
    private func expectAge(atLeast pause: Duration = .zero) {
        guard renewal.timer == nil, !isRetired else { return }
        guard let next = connections.compactMap(\.expiresAt).min() else { return }
        renewal.timer = loop.schedule(at: max(next, loop.now + pause)) { [weak self] in self?.ageCame() }
    }

    private func ageCame() {
        renewal.timer = nil
        for connection in connections where connection.expiresAt.map({ $0 <= loop.now }) ?? false {
            connection.isDue = true
        }
        renewNext()
        expectAge(atLeast: .milliseconds(100))
    }
}
