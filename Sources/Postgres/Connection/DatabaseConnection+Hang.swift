import CacheCore
import EventLoop
import Groundwork

/// A query that takes too long is cancelled. When the server obeys, the queries behind it go on, on the same connection. A
/// server that does not even do that hangs, and its connection is given up.
extension DatabaseConnection {
    /// Added to a load's timeout, so that a statement timeout of the same length strikes first.
    private static let grace = Duration.milliseconds(250)
    /// How long the server may take to cancel a query.
    private static let patience = Duration.milliseconds(500)

    /// One timer, for the oldest load. It is set again only when it would fire too late; firing too early costs one look.
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

    /// Asks the server to stop what it runs for us. It blocks for as long as the server hangs, so it takes a thread, and there
    /// is a limit to how many do so at once. Which load was cancelled is known by the answers.
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

/// Leads the thread that cancels back to its connection.
private final class WeakParcel: @unchecked Sendable {
    // Unchecked: only read on the connection's loop, by a job that was submitted to it.
    weak var connection: DatabaseConnection?
    init(_ connection: DatabaseConnection) { self.connection = connection }
}
