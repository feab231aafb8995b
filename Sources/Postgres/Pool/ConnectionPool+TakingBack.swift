import DequeModule
import EventLoop
import Groundwork

/// A query that was always short may meet a lock. What was sent behind it by then need not wait for it: while a connection is
/// idle, it is taken back and sent there. So a query runs twice for it, and nobody looks at what comes second.
extension ConnectionPool {
    /// The time from one look to the next. Who stands behind the same query at two of them is held up by it; by one alone it would
    /// be seen when this process itself was stopped for a while.
    private static let interval = Duration.milliseconds(50)

    /// Looks again and again for as long as anything stands behind another.
    func watchThoseBehind() {
        guard takeBackTimer == nil, connections.contains(where: { $0.inFront != nil }) else { return }
        takeBackTimer = loop.schedule(at: loop.now + Self.interval) { [weak self] in
            self?.takeBackTimer = nil
            self?.takeBack()
        }
    }

    private func takeBack() {
        for connection in connections {
            let (before, now) = (connection.wasInFront, connection.inFront)
            connection.wasInFront = now
            guard now != nil, now == before, isOneIdle else { continue }
            var loads = connection.takeBackBehindOldest()
            while let load = loads.popFirst() {
                context.counters.noteRetry()
                start(load)
            }
        }
        watchThoseBehind()
    }

    /// Whether one is, here or elsewhere. Without one all are busy, and to ask twice would make it worse.
    private var isOneIdle: Bool {
        connections.contains { $0.depth == 0 && $0.flows(at: loop.now) } || routing.hasSpare(besides: seat)
    }
}
