import CacheCore
import EventLoop
import Groundwork

/// A query that has had its time is cancelled. A database that answers goes on with those behind it, on the same connection;
/// one that does not even do that hangs, and its connection is given up.
extension DatabaseConnection {
    /// Beyond a load's timeout, so that a statement timeout of the same length comes first.
    private static let grace = Duration.milliseconds(250)
    /// How long a server that was asked to cancel may take for it.
    private static let patience = Duration.milliseconds(500)

    /// One timer for the oldest load. It is set anew only when it would come too late; coming too early costs one look.
    func watchForHang() {
        guard let deadline = nextLook, isOpen, deadline < hangTimerDue else { return }
        if let hangTimer { loop.cancel(hangTimer) }
        hangTimerDue = deadline
        hangTimer = loop.schedule(at: deadline) { [weak self] in self?.hangTimerFired() }
    }

    private var nextLook: Instant? {
        if pipeline.isCancelling, let cancelDue { return cancelDue }
        return pipeline.deadline.map { $0 + Self.grace }
    }

    private func hangTimerFired() {
        hangTimer = nil
        hangTimerDue = Instant(nanoseconds: .max)
        guard let look = nextLook, look <= loop.now else { return watchForHang() }
        if pipeline.isCancelling || !cancelOnServer() {
            context.circuit.sourceWasSilent(since: pipeline.waitsSince ?? loop.now, at: loop.now)
            return lose(.hung)
        }
        cancelDue = loop.now + Self.patience
        watchForHang()
    }

    /// Asks the server to stop what it runs for us. On a thread, since it blocks, and only so many at once, since they wait
    /// for as long as the server hangs. Whoever is hit by it is known by the answer.
    private func cancelOnServer() -> Bool {
        guard let cancel = link?.makeCancel() else { return false }
        let loop = loop
        let parcel = WeakParcel(self)
        pipeline.cancelBegan()
        return context.counters.cancel(cancel) {
            loop.submit { parcel.connection?.cancelEnded() }
        }
    }

    private func cancelEnded() {
        guard isOpen else { return }
        pipeline.cancelEnded()
        tellOfRoom()
    }
}

/// A way back to a connection, for the thread that cancels.
private final class WeakParcel: @unchecked Sendable {
    // Unchecked: read on the connection's loop only, in a job that was submitted to it.
    weak var connection: DatabaseConnection?
    init(_ connection: DatabaseConnection) { self.connection = connection }
}
